"""Text: how pieces are joined, what counts as the same words, how far two texts are apart."""

from nbasr.text.joining import join
from nbasr.text.scoring import Change, Score, normalize, score

__all__ = ["Change", "Score", "join", "normalize", "score"]
