"""Does each of Brainstore's roles answer, of one version, and without a latch?"""
