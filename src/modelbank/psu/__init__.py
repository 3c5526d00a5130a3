"""What a customer of the pretend bank sees (sign in, choose an account, agree, or say no), and the decision that is made there."""
