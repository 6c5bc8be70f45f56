"""What is in this dataset?"""
