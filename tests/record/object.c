/*
 * object.c: an object for the victim to load. Its table spans many pages, of which one is touched.
 */
__attribute__((visibility("default"))) void victim_touch(void);

enum { PAGE = 4096, PAGES = 64 };

__attribute__((aligned(4096))) static const volatile char table[PAGES * PAGE] = {1};

/* Where the touched page is in the file: the test looks for this text. */
__attribute__((aligned(4096))) static const volatile char marked[PAGE] = "the touched page";

void victim_touch(void)
{
    (void)marked[0];
    (void)table[0];
}
