"""Characters beyond ASCII of which every text is in Unicode normalisation form C, as a pattern's class has them.

Normalisation is no matter of single characters, so no pattern can say it of all scripts: these are the usual ones, without
marks that join what stands before them. Whoever reads texts normalises nothing and takes all scripts; descriptions name these.
"""

from __future__ import annotations

_LATIN, _GREEK, _CYRILLIC = "\u00a1-\u00ac\u00ae-\u024f", "\u0391-\u03a1\u03a3-\u03ce", "\u0400-\u0482\u048a-\u052f"
_KANA, _HAN, _HANGUL = "\u3041-\u3096\u30a1-\u30fa", "\u4e00-\u9fa5", "\uac00-\ud7a3"
LETTERS = _LATIN + _GREEK + _CYRILLIC + _KANA + _HAN + _HANGUL
"""For use between brackets."""
