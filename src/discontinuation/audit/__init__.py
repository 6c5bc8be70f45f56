"""How far can this evidence be trusted?"""
