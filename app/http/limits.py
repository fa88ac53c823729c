"""How large a request may be.  Published in the OpenAPI, enforced here and below."""

# A form of the largest values comes to a tenth of this.
FORM_BYTES = 64 * 1024
FORM_PARAMETERS = 100

REQUEST_LINE_BYTES = 8190
HEADERS = 64
HEADER_BYTES = 8190
