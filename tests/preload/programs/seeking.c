// Whether a library finds another by its own search path.
int seek(void);

int main(void)
{
    return seek() ? 0 : 1;
}
