// Package model holds the Promela models of the card login and the test that has Spin check them. README.md is about the models;
// there is nothing here for a program to import.
package model
