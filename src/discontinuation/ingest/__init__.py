"""How does a source become the pipeline's tables?"""
