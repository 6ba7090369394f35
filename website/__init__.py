"""The course as a static site: `python -m website` builds it into build/site. Nothing else of Sori needs this."""
