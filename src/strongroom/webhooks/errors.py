"""What webhooks refuse."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, Forbidden


class TooManyEndpoints(Conflict):
    """The firm has as many endpoints as a firm may have."""

    code, title = "too_many_endpoints", "A firm may have at most 20 webhook endpoints"


class TakesTwoPeople(Forbidden):
    """Account details are opened to an endpoint by two members of staff, never through an API client."""

    code, title = (
        "takes_two_people",
        "Full account details are allowed by two members of your staff, each signed in as themselves; not through the API",
    )


class EndpointDisabled(Conflict):
    """A disabled endpoint gets nothing, a ping neither."""

    code, title = "endpoint_disabled", "This endpoint is disabled; enable it first"
