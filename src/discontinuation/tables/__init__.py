"""What columns exist, in which units, and what makes a row invalid?"""
