"""Each host tried from here, as far as its answer."""
