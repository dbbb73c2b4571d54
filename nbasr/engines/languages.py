"""Languages by name and by code: people write either, models want one."""

from __future__ import annotations

from nbasr.errors import OptionError, did_you_mean

_NAMES = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg
bulgarian, bn bengali, bo tibetan, br breton, bs bosnian, ca catalan/valencian, cs czech, cy
welsh, da danish, de german, el greek, en english, es spanish/castilian, et estonian, eu basque,
fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa, haw hawaiian,
he hebrew, hi hindi, hr croatian, ht haitian creole/haitian, hu hungarian, hy armenian, id
indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer,
kn kannada, ko korean, la latin, lb luxembourgish/letzeburgesch, ln lingala, lo lao, lt
lithuanian, lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam, mn mongolian, mr
marathi, ms malay, mt maltese, my myanmar/burmese, ne nepali, nl dutch/flemish, nn nynorsk, no
norwegian, oc occitan, pa punjabi/panjabi, pl polish, ps pashto/pushto, pt portuguese, ro
romanian/moldavian/moldovan, ru russian, sa sanskrit, sd sindhi, si sinhala/sinhalese, sk slovak,
sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili,
ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog/filipino, tr turkish, tt tatar, uk
ukrainian, ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh
chinese/mandarin
"""
# The languages of Whisper (paper, appendix E, and large-v3), coded as Whisper codes them: ISO 639-1
# where there is one, and its own `jw` for Javanese.

NAMES = {
    code: names.split("/")[0]
    for code, names in (entry.split(None, 1) for entry in _NAMES.replace("\n", " ").split(", "))
}
"""English names of the languages by code, lower case."""

_CODES = {
    name.strip(): code
    for code, names in (entry.split(None, 1) for entry in _NAMES.replace("\n", " ").split(", "))
    for name in names.split("/")
} | {"jv": "jw", "iw": "he", "in": "id", "nb": "no", "fil": "tl", "cmn": "zh"}


def language_code(language: str | None) -> str | None:
    """Return the code of a language given as a name or a code, in any case, region or not.

    Parameters
    ----------
    language
        Such as ``"German"``, ``"de"``, ``"de-AT"`` or ``"pt_BR"``; None, ``""`` and ``"auto"``
        leave it to the model.

    Returns
    -------
    str or None
        The code, such as ``"de"``; None to detect it.

    Raises
    ------
    OptionError
        If there is no such language here.
    """
    word = (language or "auto").strip().lower()
    if word in ("auto", "none", ""):
        return None
    for form in (word, word.replace("_", "-").split("-")[0]):
        if form in NAMES:
            return form
        if form in _CODES:
            return _CODES[form]
    known = [*_CODES, *NAMES]
    raise OptionError(
        f"There is no language {language!r}.{did_you_mean(word, known)} Give its English name or "
        'ISO code ("German", "de"), or leave it out to have it detected.'
    )


def language_name(code: str) -> str:
    """Return a language's English name, capitalised; the code itself where it has none here."""
    return NAMES.get(code, code).title()
