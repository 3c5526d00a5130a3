"""Ground floor: database, time, identifiers, secrets, audit, jobs and HTTP edges. Knows no business; could serve any product."""
