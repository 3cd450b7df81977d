// Package govcode reads the codes that the government publishes: of municipalities, of corporations, of the items of information that
// offices exchange and of the procedures they exchange them for. A value of one of its types is well-formed; whether it was ever given
// to anybody is for lists to say.
package govcode
