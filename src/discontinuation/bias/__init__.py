"""How much of the excess is withdrawal, and what would overturn that?"""
