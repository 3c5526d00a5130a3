"""The decoupled flow: a client asks from behind, and a customer answers on their phone (CIBA)."""
