"""The request handlers of the customer's website, a file per part of the journey: parse, call one use case, show a view."""
