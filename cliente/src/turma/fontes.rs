//! O que se entregou, lido: em que linguagem está cada arquivo, e se ele escuta (é um servidor) ou conecta (é um
//! cliente). Olha o que o programa faz antes de olhar o nome dele. Não o executa.

use std::fs;
use std::path::{Path, PathBuf};

use super::entregas::{extensao, sem_acento};

/// O que se lê de um arquivo.
const TAMANHO_MAXIMO: u64 = 1024 * 1024;

/// Pastas que não são do aluno, ou que ele não escreveu.
const PASTAS_DE_FORA: [&str; 6] =
    ["node_modules", "venv", "site-packages", "target", "build", "obj"];

/// Uma linguagem em que se entrega.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lingua {
    /// `.py`
    Python,
    /// `.js`, `.mjs`, `.cjs`
    Node,
    /// `.java`
    Java,
    /// `.c`
    C,
    /// `.cpp`, `.cc`, `.cxx`
    Cpp,
    /// `.go`
    Go,
    /// `.rs`
    Rust,
}

/// Um arquivo do aluno.
#[derive(Debug, Clone)]
pub struct Fonte {
    /// Onde está, a partir da raiz da entrega.
    pub caminho: PathBuf,
    /// A linguagem.
    pub lingua: Lingua,
    /// O texto, sem comentários.
    pub texto: String,
    /// Espera conexões.
    pub escuta: bool,
    /// Conecta a outro.
    pub conecta: bool,
}

impl Lingua {
    fn da_extensao(extensao: &str) -> Option<Self> {
        Some(match extensao {
            "py" => Lingua::Python,
            "js" | "mjs" | "cjs" => Lingua::Node,
            "java" => Lingua::Java,
            "c" => Lingua::C,
            "cpp" | "cc" | "cxx" => Lingua::Cpp,
            "go" => Lingua::Go,
            "rs" => Lingua::Rust,
            _ => return None,
        })
    }

    /// O que só escreve quem espera conexões.
    fn de_quem_escuta(self) -> &'static [&'static str] {
        match self {
            Lingua::Python => &[
                ".listen(",
                ".accept(",
                "socketserver",
                "start_server(",
                "create_server(",
                "ThreadingTCPServer",
            ],
            Lingua::Node => &["createServer(", ".listen(", "new net.Server("],
            Lingua::Java => &["ServerSocket", "ServerBootstrap", "HttpServer"],
            Lingua::C | Lingua::Cpp => &["listen(", "accept(", "acceptor"],
            Lingua::Go => &["net.Listen(", "net.ListenTCP(", "net.ListenConfig", ".Accept("],
            Lingua::Rust => &["TcpListener", ".incoming("],
        }
    }

    /// O que escreve quem usa UDP, em que ninguém espera conexões.
    fn de_quem_usa_udp(self) -> &'static [&'static str] {
        match self {
            Lingua::Python | Lingua::C | Lingua::Cpp => &["SOCK_DGRAM"],
            Lingua::Node => &["dgram"],
            Lingua::Java => &["DatagramSocket", "DatagramChannel"],
            Lingua::Go => &["net.ListenUDP", "net.ListenPacket", "net.DialUDP"],
            Lingua::Rust => &["UdpSocket"],
        }
    }

    /// O que escreve quem conecta.
    fn de_quem_conecta(self) -> &'static [&'static str] {
        match self {
            Lingua::Python => {
                &[".connect(", ".connect_ex(", "open_connection(", "create_connection("]
            }
            Lingua::Node => &["net.connect(", "createConnection(", "new net.Socket(", ".connect("],
            Lingua::Java => &["new Socket(", "SocketChannel.open("],
            Lingua::C | Lingua::Cpp => &["connect(", "async_connect("],
            Lingua::Go => &["net.Dial"],
            Lingua::Rust => &["TcpStream::connect"],
        }
    }

    /// Como começa o programa, se há o que o diga.
    fn principal(self) -> Option<&'static [&'static str]> {
        match self {
            Lingua::Python | Lingua::Node => None,
            Lingua::Java => Some(&["static void main", "void main("]),
            Lingua::C | Lingua::Cpp => Some(&["main(", "main ("]),
            Lingua::Go => Some(&["func main("]),
            Lingua::Rust => Some(&["fn main("]),
        }
    }
}

impl Fonte {
    /// Tem por onde começar?
    pub fn e_principal(&self) -> bool {
        let marcas = self.lingua.principal();
        marcas.is_none_or(|marcas| marcas.iter().any(|marca| self.texto.contains(marca)))
    }

    /// Usa UDP?
    pub fn usa_udp(&self) -> bool {
        self.lingua.de_quem_usa_udp().iter().any(|marca| self.texto.contains(marca))
    }

    /// O nome, ou o de uma pasta em que está, diz que é a versão com Lock? Um Lock no texto pode ser de outra coisa, como
    /// da lista de clientes.
    fn diz_que_tem_lock(&self) -> bool {
        let caminho = self.caminho_simples();
        let palavra = caminho.split(['-', '/']).any(|p| ["lock", "mutex", "trava"].contains(&p));
        let com = COM_LOCK.iter().any(|nome| caminho.contains(nome));
        let nega = caminho.split(['-', '/']).any(|palavra| NEGA.contains(&palavra));
        (com || palavra) && !nega && !self.diz_que_nao_tem_lock()
    }

    fn diz_que_nao_tem_lock(&self) -> bool {
        let caminho = self.caminho_simples();
        SEM_LOCK.iter().any(|nome| caminho.contains(nome))
    }

    /// As pastas e o nome, sem a extensão, em minúsculas e com um traço entre as palavras.
    fn caminho_simples(&self) -> String {
        sem_acento(&self.caminho.with_extension("").to_string_lossy())
    }

    /// Quanto parece ser o servidor que se entregou, e não um rascunho dele ou a versão sem Lock que o §8 pede.
    pub fn parece_o_servidor(&self) -> i32 {
        let nome = sem_acento(&self.caminho.file_stem().unwrap_or_default().to_string_lossy());
        let no_nome = |partes: &[&str]| partes.iter().any(|parte| nome.contains(parte));
        let no_texto = |partes: &[&str]| partes.iter().any(|parte| self.texto.contains(parte));
        let mut pontos = 0;
        pontos += 8 * i32::from(self.e_principal());
        pontos += 4 * i32::from(no_texto(&["COMPRAR", "comprar"]));
        pontos += 2 * i32::from(no_texto(&[
            "Lock",
            "lock",
            "mutex",
            "Mutex",
            "synchronized",
            "Semaphore",
        ]));
        pontos += i32::from(no_texto(&["AVISO"]));
        pontos += 3 * i32::from(self.diz_que_tem_lock());
        pontos += 3 * i32::from(no_nome(&["serv"]));
        pontos -= 6 * i32::from(self.diz_que_nao_tem_lock());
        pontos -= 5 * i32::from(no_nome(&[
            "test", "cliente", "client", "copia", "backup", "old", "antig",
        ]));
        pontos - self.caminho.components().count() as i32
    }
}

/// Como se chama a versão que o desafio do §8 pede.
const SEM_LOCK: [&str; 15] = [
    "sem-lock",
    "semlock",
    "sem-trava",
    "semtrava",
    "sem-mutex",
    "sem-sinc",
    "semsinc",
    "no-lock",
    "nolock",
    "without-lock",
    "withoutlock",
    "unlocked",
    "unsafe",
    "inseguro",
    "desafio",
];

/// E a outra, quando há as duas.
/// Com uma destas no nome, o que fala de um Lock pode estar a dizer que não o tem.
const NEGA: [&str; 7] = ["sem", "no", "not", "nao", "non", "without", "free"];

const COM_LOCK: [&str; 8] = [
    "comlock",
    "comtrava",
    "com-sinc",
    "comsinc",
    "withlock",
    "thread-safe",
    "threadsafe",
    "seguro",
];

/// Lê os arquivos do aluno, em ordem de caminho.
pub fn ler(raiz: &Path) -> Vec<Fonte> {
    let mut fontes = Vec::new();
    ler_pasta(raiz, raiz, &mut fontes);
    fontes.sort_by(|uma, outra| uma.caminho.cmp(&outra.caminho));
    fontes
}

fn ler_pasta(raiz: &Path, pasta: &Path, fontes: &mut Vec<Fonte>) {
    for entrada in fs::read_dir(pasta).into_iter().flatten().flatten() {
        let (caminho, nome) = (entrada.path(), entrada.file_name());
        let nome = nome.to_string_lossy();
        let Ok(tipo) = entrada.file_type() else { continue };
        if nome.starts_with('.') || (tipo.is_dir() && de_fora(&caminho, &nome)) {
            continue;
        }
        if tipo.is_dir() {
            ler_pasta(raiz, &caminho, fontes);
        } else if tipo.is_file() {
            fontes.extend(ler_arquivo(raiz, &caminho));
        }
    }
}

/// O ambiente virtual do Python tem o nome que o aluno quis, e este arquivo.
fn de_fora(pasta: &Path, nome: &str) -> bool {
    PASTAS_DE_FORA.contains(&nome) || pasta.join("pyvenv.cfg").exists()
}

fn ler_arquivo(raiz: &Path, caminho: &Path) -> Option<Fonte> {
    let lingua = Lingua::da_extensao(&extensao(caminho))?;
    let cabe = fs::metadata(caminho).ok()?.len() <= TAMANHO_MAXIMO;
    let bytes = if cabe { fs::read(caminho).ok()? } else { return None };
    let texto = sem_comentarios(&String::from_utf8_lossy(&bytes), lingua);
    let tem = |marcas: &[&str]| marcas.iter().any(|marca| texto.contains(marca));
    Some(Fonte {
        caminho: caminho.strip_prefix(raiz).ok()?.into(),
        lingua,
        escuta: tem(lingua.de_quem_escuta()),
        conecta: tem(lingua.de_quem_conecta()),
        texto,
    })
}

/// O texto sem o que o programa não executa. Um `#` ou `//` dentro de aspas também sai, e aqui não faz falta.
fn sem_comentarios(texto: &str, lingua: Lingua) -> String {
    let (linha, blocos): (&str, &[(&str, &str)]) = match lingua {
        Lingua::Python => ("#", &[]),
        _ => ("//", &[("/*", "*/")]),
    };
    let mut limpo = texto.to_owned();
    for (abre, fecha) in blocos {
        while let Some(inicio) = limpo.find(abre) {
            let fim = limpo[inicio..].find(fecha).map(|fim| inicio + fim + fecha.len());
            limpo.replace_range(inicio..fim.unwrap_or(limpo.len()), " ");
        }
    }
    let sem = |l: &str| l.split_once(linha).map_or(l, |(antes, _)| antes).to_owned() + "\n";
    limpo.lines().map(sem).collect()
}

#[cfg(test)]
mod testes {
    use super::*;

    fn lidas(arquivos: &[(&str, &str)]) -> Vec<Fonte> {
        let raiz = tempfile::tempdir().unwrap();
        for (nome, texto) in arquivos {
            let caminho = raiz.path().join(nome);
            fs::create_dir_all(caminho.parent().unwrap()).unwrap();
            fs::write(caminho, texto).unwrap();
        }
        ler(raiz.path())
    }

    #[test]
    fn o_que_o_programa_faz_diz_o_que_ele_e() {
        let casos = [
            ("a.py", "s.listen()\n", true, false),
            ("a.py", "# depois de s.listen()\ns.connect(x)\n", false, true),
            ("a.js", "net.createServer(f).listen(12346)", true, false),
            ("A.java", "ServerSocket s; /* new Socket( */", true, false),
            ("a.c", "connect(s, &e, sizeof e); // listen(", false, true),
            ("a.go", "net.Listen(\"tcp\", \":12346\")", true, false),
            ("a.rs", "TcpStream::connect(x)", false, true),
        ];
        for (nome, texto, escuta, conecta) in casos {
            let [fonte] = &lidas(&[(nome, texto)])[..] else { panic!("{nome}: uma só") };
            assert_eq!((fonte.escuta, fonte.conecta), (escuta, conecta), "{nome}: {texto}");
        }
    }

    #[test]
    fn o_que_nao_e_do_aluno_nao_se_le() {
        let fontes = lidas(&[
            ("node_modules/x/i.js", "createServer("),
            ("venv/lib/s.py", ".listen("),
            (".git/x.py", ".listen("),
            ("notas.txt", "listen("),
            ("src/s.py", ".listen("),
        ]);
        let caminhos: Vec<_> = fontes.iter().map(|fonte| fonte.caminho.to_str().unwrap()).collect();
        assert_eq!(caminhos, ["src/s.py"]);
    }
}
