"""How fast did the drug really leave?"""
