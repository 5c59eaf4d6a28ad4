"""Messages of failed requests stand within other sentences."""

import pytest

from ultrarm_eval.engine.server.failures import (
    OverloadedError,
    RequestRefusedError,
    UnusableServerError,
)


@pytest.mark.parametrize(
    "error",
    [
        UnusableServerError("Status 308. Set base_url."),
        OverloadedError("Status 308. Set base_url.", 1.0),
        RequestRefusedError("Status 308. Set base_url.", is_too_large=True),
    ],
)
def test_a_message_has_no_last_period_of_its_own(error):
    assert str(error) == "Status 308. Set base_url"
