"""The REST faces of the funds context, a file per noun: parse, guard, call one use case, shape the answer."""
