"""Can a reader see it, check it and cite it?"""
