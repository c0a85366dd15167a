"""The currency codes of ISO 4217: list one, and what was on it until lately.

As of 2026-01-01 (Bulgaria has the euro since). Compared with what ICU of
Node.js 24 lists (`Intl.supportedValuesOf("currency")`); the codes of funds,
metals and bonds, which it leaves out, are those of the standard's list one.
"""

from typing import Final

_LISTED: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST
XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
BOV CHE CHW CLF COU MXV USN UYI UYW VED XAD XDR XSU XUA
XAG XAU XBA XBB XBC XBD XPD XPT XTS XXX
"""
"""In use; funds and units of account; metals, bonds, tests and "no currency"."""

_WITHDRAWN: Final = "ANG BGN BYR CUC HRK LTL MRO SLL STD VEF ZWL"
"""Withdrawn since 2015: old events that are imported, or replayed, have them."""

CURRENCIES: Final = frozenset((_LISTED + _WITHDRAWN).split())
"""Every code that an event may have."""
