#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <string>

int main()
{
    std::map<std::string, int> words{{"b", 2}, {"a", 1}};
    for (auto &[word, count] : words)
        std::cout << word << count << '\n';
    std::cout << std::regex_match("abc", std::regex("[a-c]+")) << '\n';
}
