-- From here on refresh is sealed with a key derived from the site's credential, which is not in the database. A token that still
-- lies here in clear is not kept for that: where the end it was for was not delivered, the hub shows the link until the person comes
-- by, is asked for the number, and both sides agree again. The hub forgets the tokens in its own time.
DELETE FROM etax_ending;
