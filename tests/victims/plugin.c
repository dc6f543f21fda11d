/*
 * plugin.c: a shared object to load and unload; as $LD_AUDIT one that watches and changes nothing.
 */
unsigned la_version(unsigned version);
int plugin_answer(void);

unsigned la_version(unsigned version)
{
    return version;
}

int plugin_answer(void)
{
    return 42;
}
