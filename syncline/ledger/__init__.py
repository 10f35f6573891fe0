"""Tables, states, and the only functions that change them."""
