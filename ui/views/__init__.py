"""What several views share: words, numbers, cards, the model that is sent.

Begin with ``view_model``; ``glossary`` explains each word.
"""
