"""The authorisation server: FAPI 1.0 Advanced as UK Open Banking uses it."""
