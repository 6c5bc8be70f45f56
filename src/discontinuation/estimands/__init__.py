"""Which effect of stopping is asked for, may it be answered, and what is the answer?"""
