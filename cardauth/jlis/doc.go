// Package jlis asks the operator of the certification authorities (J-LIS) what
// no certificate says by itself: whether a certificate still counts, which
// older certificates the same person had, which signature certificate belongs
// to which user-authentication certificate, and the four attributes as they are
// today.
//
// The interface that the operator offers to verifiers is not public. [Authority]
// is what the hub needs of it; [Client] speaks one JSON question and answer over
// HTTPS, meant to run with a client certificate; cardauth/cardtest has the
// simulator of the other end.
//
// A question carries a random reference, and an answer repeats the reference
// and the certificate it is about: one that was recorded, or that is about
// somebody else, is no answer. Failing to get an answer ([Unavailable]), the
// answer that there is nothing ([None]) and being refused one ([Refused]) are
// three different things.
//
// Answers hold serial numbers and names. They are for the caller to turn into
// keyed digests and to forget.
package jlis
