"""One market's way from decoded rows into its files. No socket, no clock.

Begin with ``ingest``; ``sequence`` finds what is missing.
"""
