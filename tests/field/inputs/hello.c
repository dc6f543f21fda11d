#include <math.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)argv;
    printf("%.3f\n", sqrt(argc + 1));
    return 0;
}
