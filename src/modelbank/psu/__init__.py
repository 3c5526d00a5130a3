"""The pages that a customer of the pretend bank sees: sign in, choose an account, agree, or say no."""
