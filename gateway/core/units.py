"""Units and currencies the canonical model speaks: UN/CEFACT Recommendation 20 common codes and ISO 4217.

The tables hold the codes that manufacturing documents use; a dialect's unit table maps an ERP's own words to them.
Source: UNECE Recommendation No. 20 (codes and names), ISO 4217 (codes and minor units).
"""

from __future__ import annotations

REC20: dict[str, str] = {
    # count
    "C62": "one", "H87": "piece", "EA": "each", "PR": "pair", "DZN": "dozen", "SET": "set", "KT": "kit", "CEN": "hundred",
    "MIL": "thousand", "GRO": "gross", "HC": "hundred count", "NPR": "number of pairs", "E48": "service unit", "LS": "lump sum",
    "ACT": "activity", "P1": "percent", "5B": "batch", "RO": "roll", "ST": "sheet", "BG": "bag", "BO": "bottle", "BX": "box",
    "CA": "can", "CS": "case", "CT": "carton", "CR": "crate", "DR": "drum", "PK": "pack", "PF": "pallet", "PX": "pallet (mixed)",
    "RL": "reel", "TU": "tube", "XPK": "package", "XPX": "pallet", "XCT": "carton", "XBX": "box", "XBG": "bag", "XDR": "drum",
    "XRO": "roll", "XCS": "case", "XBO": "bottle", "XTU": "tube",
    # mass
    "KGM": "kilogram", "GRM": "gram", "MGM": "milligram", "MC": "microgram", "TNE": "tonne", "DTN": "decitonne",
    "LBR": "pound", "ONZ": "ounce", "STN": "short ton", "LTN": "long ton", "APZ": "troy ounce", "CWA": "hundredweight (US)",
    # length
    "MTR": "metre", "CMT": "centimetre", "MMT": "millimetre", "KMT": "kilometre", "DMT": "decimetre", "4H": "micrometre",
    "C45": "nanometre", "INH": "inch", "FOT": "foot", "YRD": "yard", "SMI": "mile", "LM": "linear metre",
    # area
    "MTK": "square metre", "CMK": "square centimetre", "MMK": "square millimetre", "DMK": "square decimetre",
    "KMK": "square kilometre", "HAR": "hectare", "FTK": "square foot", "INK": "square inch", "YDK": "square yard", "ACR": "acre",
    # volume
    "LTR": "litre", "MLT": "millilitre", "CLT": "centilitre", "DLT": "decilitre", "HLT": "hectolitre", "MTQ": "cubic metre",
    "CMQ": "cubic centimetre", "DMQ": "cubic decimetre", "MMQ": "cubic millimetre", "FTQ": "cubic foot", "INQ": "cubic inch",
    "YDQ": "cubic yard", "GLL": "gallon (US)", "GLI": "gallon (UK)", "PTL": "liquid pint (US)", "QTL": "liquid quart (US)",
    "OZA": "fluid ounce (US)", "BLL": "barrel (US)", "4G": "microlitre",
    # time
    "SEC": "second", "MIN": "minute", "HUR": "hour", "DAY": "day", "WEE": "week", "MON": "month", "ANN": "year", "C26": "millisecond",
    # energy, power, electricity
    "KWH": "kilowatt hour", "MWH": "megawatt hour", "WHR": "watt hour", "JOU": "joule", "KJO": "kilojoule", "3B": "megajoule",
    "GV": "gigajoule", "WTT": "watt", "KWT": "kilowatt", "MAW": "megawatt", "AMP": "ampere", "4K": "milliampere", "VLT": "volt",
    "KVT": "kilovolt", "OHM": "ohm", "FAR": "farad", "AMH": "ampere hour", "D46": "volt - ampere", "KVA": "kilovolt - ampere",
    # pressure, force, temperature, frequency
    "PAL": "pascal", "KPA": "kilopascal", "MPA": "megapascal", "BAR": "bar", "MBR": "millibar", "PS": "pound per square inch",
    "NEW": "newton", "B47": "kilonewton", "NU": "newton metre", "CEL": "degree Celsius", "FAH": "degree Fahrenheit",
    "KEL": "kelvin", "HTZ": "hertz", "KHZ": "kilohertz", "MHZ": "megahertz", "RPM": "revolutions per minute",
    # rates, density, amount of substance, data
    "KMH": "kilometre per hour", "MTS": "metre per second", "L2": "litre per minute", "E32": "litre per hour",
    "MQH": "cubic metre per hour", "KMQ": "kilogram per cubic metre", "23": "gram per cubic centimetre", "GL": "gram per litre",
    "C34": "mole", "C18": "millimole", "59": "part per million", "AD": "byte", "4L": "megabyte",
}  # fmt: skip

# code -> digits after the decimal point in the minor unit
_ISO4217 = """
AED2 AFN2 ALL2 AMD2 AOA2 ARS2 AUD2 AWG2 AZN2 BAM2 BBD2 BDT2 BGN2 BHD3 BIF0 BMD2 BND2 BOB2 BRL2 BSD2 BTN2 BWP2 BYN2 BZD2
CAD2 CDF2 CHF2 CLF4 CLP0 CNY2 COP2 CRC2 CUP2 CVE2 CZK2 DJF0 DKK2 DOP2 DZD2 EGP2 ERN2 ETB2 EUR2 FJD2 FKP2 GBP2 GEL2 GHS2
GIP2 GMD2 GNF0 GTQ2 GYD2 HKD2 HNL2 HTG2 HUF2 IDR2 ILS2 INR2 IQD3 IRR2 ISK0 JMD2 JOD3 JPY0 KES2 KGS2 KHR2 KMF0 KPW2 KRW0
KWD3 KYD2 KZT2 LAK2 LBP2 LKR2 LRD2 LSL2 LYD3 MAD2 MDL2 MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 MYR2 MZN2 NAD2
NGN2 NIO2 NOK2 NPR2 NZD2 OMR3 PAB2 PEN2 PGK2 PHP2 PKR2 PLN2 PYG0 QAR2 RON2 RSD2 RUB2 RWF0 SAR2 SBD2 SCR2 SDG2 SEK2 SGD2
SHP2 SLE2 SOS2 SRD2 SSP2 STN2 SVC2 SYP2 SZL2 THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 TWD2 TZS2 UAH2 UGX0 USD2 UYU2 UZS2 VED2
VES2 VND0 VUV0 WST2 XAF0 XCD2 XOF0 XPF0 YER2 ZAR2 ZMW2 ZWG2
"""
CURRENCIES: dict[str, int] = {word[:3]: int(word[3:]) for word in _ISO4217.split()}
