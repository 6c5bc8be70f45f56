"""When did this person deteriorate, by which published-style definition?"""
