"""Effects of trials as hypothesis draws them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

METHODS = ["REML", "DL", "PM", "common"]
RANDOM = METHODS[:3]

property_test = settings(max_examples=50, deadline=None, derandomize=True, database=None)

effect_lists = st.lists(
    st.tuples(
        st.floats(-3, 3).map(lambda x: round(x, 3)),
        st.floats(-6, 1).map(lambda x: round(math.exp(x), 5)),
    ),
    min_size=2,
    max_size=8,
).map(lambda rows: (np.array([r[0] for r in rows]), np.array([r[1] for r in rows])))
methods = st.sampled_from(METHODS)
random_methods = st.sampled_from(RANDOM)
