"""Which trial would settle it, and does our method find the truth when we know it?"""
