"""
What PostgreSQL writes into its own log.

Our statements hold no values, only places for them; a value can reach the log as a
parameter, in the words of an error, or in a plan. Each session asks for none of that,
as far as its login may: the settings are a superuser's, who can grant them.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

# As one message, so that a new connection costs no further round trip. What may not be
# set is left as it is, and so is what no module has brought along.
QUIETEN: LiteralString = """
    DO $$
    DECLARE
        wanted text[];
    BEGIN
        FOREACH wanted SLICE 1 IN ARRAY ARRAY[
            ['log_error_verbosity', 'terse'],
            ['log_min_error_statement', 'panic'],
            ['log_parameter_max_length', '0'],
            ['log_parameter_max_length_on_error', '0'],
            ['auto_explain.log_min_duration', '-1']
        ] LOOP
            CONTINUE WHEN current_setting(wanted[1], true) IS NOT DISTINCT FROM
                          wanted[2]
                       OR current_setting(wanted[1], true) IS NULL;
            BEGIN
                PERFORM set_config(wanted[1], wanted[2], false);
            EXCEPTION WHEN insufficient_privilege THEN
                NULL;
            END;
        END LOOP;
    END $$
"""

SETTINGS: LiteralString = """
    SELECT current_setting('log_error_verbosity') AS verbosity,
           current_setting('log_parameter_max_length') AS parameters,
           current_setting('log_parameter_max_length_on_error') AS on_error,
           current_setting('log_statement') AS statements,
           current_setting('log_min_duration_statement') AS slow,
           current_setting('log_min_duration_sample') AS sampled,
           current_setting('log_transaction_sample_rate')::float AS share,
           current_setting('auto_explain.log_min_duration', true) AS plans
"""


def find_leaks(row: Mapping[str, Any]) -> list[str]:
    """Return which settings, in a row of SETTINGS, let numbers into the log."""
    logged = (
        row["statements"] in {"mod", "all"}
        or row["slow"] != "-1"
        or row["sampled"] != "-1"
        or row["share"] > 0
    )
    leaks = []
    if logged and row["verbosity"] != "terse" and row["parameters"] != "0":
        leaks.append("log_parameter_max_length")
    if row["on_error"] != "0":
        leaks.append("log_parameter_max_length_on_error")
    if row["plans"] not in {None, "-1"}:
        leaks.append("auto_explain.log_min_duration")
    return leaks
