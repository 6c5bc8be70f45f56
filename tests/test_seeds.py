"""Random streams depend on the seed and their name alone."""

from discontinuation.seeds import random_stream


def test_same_name_same_stream_other_name_other_stream():
    first = random_stream(1, "early share", "ANTLER").random(3)
    assert (random_stream(1, "early share", "ANTLER").random(3) == first).all()
    assert (random_stream(1, "early share", "RADAR").random(3) != first).any()
    assert (random_stream(2, "early share", "ANTLER").random(3) != first).any()
