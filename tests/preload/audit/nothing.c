/*
 * nothing.c: an object that does nothing, and as an auditor takes part in nothing.
 */
unsigned la_version(unsigned version);

unsigned la_version(unsigned version)
{
    (void)version;
    return 0;
}
