"""The words that everything else speaks: frozen values and pure rules. Imports nothing of ours."""
