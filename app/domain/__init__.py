"""Numbers, entries, scopes, access and refusals; knows neither HTTP nor SQL."""
