"""How the record of a fleet's market comes to the store, and to whoever takes it over.

Begin with ``courier``, then ``takeover``; ``epochs`` says who has a market.
"""
