//! Como abrir o servidor de uma entrega: em que pasta, o que se prepara antes e o comando. Adivinha pelo que a pasta
//! tem, e diz o que adivinhou; não executa nada.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use protocolo::mensagem::visivel;
use thiserror::Error;

use super::fontes::{self, Fonte, Lingua};

/// O arquivo, na pasta da entrega, com o comando que a abre.
pub const ARQUIVO_DA_ENTREGA: &str = "iniciar.txt";

/// Quanto se lê desse arquivo.
const TEXTO_MAXIMO: u64 = 1024 * 1024;

/// O que `--iniciar` troca pelo arquivo do servidor, e pela porta.
const ARQUIVO: &str = "{arquivo}";
const PORTA: &str = "{porta}";

/// O que a preparação deixou pronto: só se sabe depois dela.
pub const EXECUTAVEL: &str = "{executavel}";

/// O nome do que se compila aqui.
const COMPILADO: &str = "./servidor_compilado";

/// Como abrir o servidor de uma entrega.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receita {
    /// Onde, a partir da raiz da entrega.
    pub pasta: PathBuf,
    /// O arquivo do servidor, a partir da raiz; vazio, se só há o comando.
    pub servidor: PathBuf,
    /// O do cliente, se há um.
    pub cliente: Option<PathBuf>,
    /// O que se faz uma vez, antes: compilar.
    pub preparar: Option<String>,
    /// O comando que abre o servidor.
    pub iniciar: String,
    /// De quem é o comando.
    pub origem: Origem,
    /// De que programas ele precisa.
    pub precisa: Vec<&'static str>,
    /// O que o professor deve saber do que se adivinhou.
    pub notas: Vec<String>,
}

/// De quem é o comando.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origem {
    /// Do que a pasta tem.
    Adivinhado,
    /// De `--iniciar`.
    DeTodos,
    /// Do arquivo que a entrega traz.
    DaEntrega,
}

/// Por que não se sabe abrir uma entrega.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SemReceita {
    /// Nenhum programa em uma linguagem que se conhece.
    #[error(
        "a entrega não tem nenhum programa em Python, Node, Java, C, C++, Go ou Rust{}",
        .0.as_deref().map(|outro| format!(" (há '{outro}')")).unwrap_or_default()
    )]
    SemPrograma(Option<String>),
    /// Há programas, mas nenhum escuta.
    #[error("há {}, mas nenhum arquivo que espere conexões (um socket com listen)", .0.join(", "))]
    SemServidor(Vec<String>),
    /// Há quem espere mensagens, mas em UDP.
    #[error(
        "{} usa UDP, e o §3.1 pede TCP: não há nenhum arquivo que espere conexões (um socket com listen)",
        .0.join(", ")
    )]
    EmUdp(Vec<String>),
}

/// O que o professor manda sobre todas as entregas.
#[derive(Debug, Clone, Default)]
pub struct Mandado {
    /// O comando de `--iniciar`, se há um.
    pub iniciar: Option<String>,
    /// A porta.
    pub porta: u16,
}

/// Deduz como abrir o servidor que está em `raiz`.
///
/// # Errors
///
/// Não há o que abrir, e por quê.
pub fn deduzir(raiz: &Path, mandado: &Mandado) -> Result<Receita, SemReceita> {
    let fontes = fontes::ler(raiz);
    let servidor = escolher_servidor(&fontes);
    let cliente = escolher_cliente(&fontes).map(|fonte| fonte.caminho.clone());
    if let Some((pasta, comando)) = comando_da_entrega(raiz, ARQUIVO_DA_ENTREGA) {
        let servidor = servidor.map(|fonte| fonte.caminho.clone()).unwrap_or_default();
        let arquivo = servidor.strip_prefix(&pasta).unwrap_or(&servidor).to_owned();
        let iniciar = trocar(&comando, &arquivo, mandado.porta);
        return Ok(Receita { cliente, servidor, ..a_mando(pasta, iniciar, Origem::DaEntrega) });
    }
    if let Some(comando) = &mandado.iniciar
        && (servidor.is_some() || !comando.contains(ARQUIVO))
    {
        let servidor = servidor.map(|fonte| fonte.caminho.clone()).unwrap_or_default();
        let (pasta, arquivo) = pasta_e_arquivo(&servidor);
        let iniciar = trocar(comando, &arquivo, mandado.porta);
        return Ok(Receita { cliente, servidor, ..a_mando(pasta, iniciar, Origem::DeTodos) });
    }
    let Some(servidor) = servidor else { return Err(sem_servidor(raiz, &fontes)) };
    let mut receita = Receita { cliente, ..adivinhar(raiz, servidor, &fontes) };
    receita.notas.extend(outros_servidores(servidor, &fontes));
    Ok(receita)
}

pub(super) fn a_mando(pasta: PathBuf, iniciar: String, origem: Origem) -> Receita {
    let vazia = PathBuf::new();
    let (servidor, cliente, preparar) = (vazia, None, None);
    let (precisa, notas) = (Vec::new(), Vec::new());
    Receita { pasta, servidor, cliente, preparar, iniciar, origem, precisa, notas }
}

fn trocar(comando: &str, arquivo: &Path, porta: u16) -> String {
    let arquivo = shell_words::quote(&arquivo.to_string_lossy()).into_owned();
    comando.replace(ARQUIVO, &arquivo).replace(PORTA, &porta.to_string())
}

/// A primeira linha do arquivo da entrega que diz algo, e a pasta dele: a raiz, ou a única pasta que há nela.
pub(super) fn comando_da_entrega(raiz: &Path, arquivo: &str) -> Option<(PathBuf, String)> {
    let mut pasta = PathBuf::new();
    loop {
        let aqui = raiz.join(&pasta);
        let lido = ler_texto(&aqui.join(arquivo));
        let mut linhas = lido.split(['\n', '\r']).map(str::trim);
        if let Some(linha) = linhas.find(|linha| !linha.is_empty() && !linha.starts_with('#')) {
            return Some((pasta, linha.to_owned()));
        }
        let dentro: Vec<_> = fs::read_dir(&aqui).ok()?.flatten().collect();
        match &dentro[..] {
            [unica] if unica.path().is_dir() => pasta.push(unica.file_name()),
            _ => return None,
        }
    }
}

/// O que um arquivo de texto diz, como quer que o tenham escrito: o Bloco de Notas e o PowerShell marcam o começo, e podem
/// usar dois bytes por letra; quem não usa UTF-8 usa quase sempre o Latin-1.
fn ler_texto(caminho: &Path) -> String {
    let mut bytes = Vec::new();
    let lido = File::open(caminho).and_then(|a| a.take(TEXTO_MAXIMO).read_to_end(&mut bytes));
    if lido.is_err() {
        return String::new();
    }
    let de_dois_em_dois = |resto: &[u8], ler: fn([u8; 2]) -> u16| {
        let (pares, _) = resto.as_chunks();
        String::from_utf16_lossy(&pares.iter().copied().map(ler).collect::<Vec<_>>())
    };
    match &bytes[..] {
        [0xFF, 0xFE, resto @ ..] => de_dois_em_dois(resto, u16::from_le_bytes),
        [0xFE, 0xFF, resto @ ..] => de_dois_em_dois(resto, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, resto @ ..] => String::from_utf8_lossy(resto).into_owned(),
        todos => match str::from_utf8(todos) {
            Ok(texto) => texto.to_owned(),
            Err(_) => todos.iter().map(|byte| char::from(*byte)).collect(),
        },
    }
}

/// Quem conecta e não escuta; de vários, o que compra e tem por onde começar.
pub(super) fn escolher_cliente(fontes: &[Fonte]) -> Option<&Fonte> {
    let conectam = fontes.iter().filter(|fonte| fonte.conecta && !fonte.escuta);
    conectam.max_by_key(|fonte| {
        let compra = fonte.texto.contains("COMPRAR");
        (fonte.e_principal(), compra, std::cmp::Reverse(&fonte.caminho))
    })
}

fn escolher_servidor(fontes: &[Fonte]) -> Option<&Fonte> {
    let escutam = fontes.iter().filter(|fonte| fonte.escuta);
    let melhor = escutam
        .max_by_key(|fonte| (fonte.parece_o_servidor(), std::cmp::Reverse(&fonte.caminho)))?;
    if melhor.e_principal() {
        return Some(quem_importa(melhor, fontes).unwrap_or(melhor));
    }
    // Quem escuta é uma peça: o programa é o que a usa e tem por onde começar.
    let nome = melhor.caminho.file_stem()?.to_string_lossy().into_owned();
    let mesma = |fonte: &&Fonte| fonte.lingua == melhor.lingua && fonte.e_principal();
    let mut principais = fontes.iter().filter(mesma);
    principais
        .clone()
        .find(|fonte| fonte.texto.contains(&nome))
        .or(principais.next())
        .or(Some(melhor))
}

/// Um módulo de Python que só define, e que outro importa para abrir: é o outro que se executa.
fn quem_importa<'a>(modulo: &Fonte, fontes: &'a [Fonte]) -> Option<&'a Fonte> {
    if modulo.lingua != Lingua::Python || executa_algo(&modulo.texto) {
        return None;
    }
    let nome = modulo.caminho.file_stem()?.to_string_lossy().into_owned();
    let importa = |fonte: &&Fonte| {
        let linhas = fonte.texto.lines().map(str::trim_start);
        let mut importacoes = linhas.filter(|l| l.starts_with("import ") || l.starts_with("from "));
        fonte.lingua == Lingua::Python
            && fonte.caminho != modulo.caminho
            && executa_algo(&fonte.texto)
            && importacoes.any(|linha| linha.split([' ', ',', '.']).any(|parte| parte == nome))
    };
    fontes.iter().find(importa)
}

/// Há alguma linha solta que executa algo, e não só definições, importações e valores?
fn executa_algo(texto: &str) -> bool {
    let quieta = |linha: &str| {
        let inicio = [
            "import ",
            "from ",
            "def ",
            "class ",
            "async def ",
            "@",
            ")",
            "]",
            "}",
            "\"\"\"",
            "'''",
        ];
        linha.trim().is_empty()
            || linha.starts_with([' ', '\t'])
            || inicio.iter().any(|palavra| linha.starts_with(palavra))
            || (linha.contains('=') && !linha.contains("if "))
    };
    texto.lines().any(|linha| !quieta(linha))
}

fn pasta_e_arquivo(caminho: &Path) -> (PathBuf, PathBuf) {
    let pasta = caminho.parent().unwrap_or(Path::new("")).to_owned();
    (pasta, caminho.file_name().unwrap_or_default().into())
}

pub(super) fn adivinhar(raiz: &Path, servidor: &Fonte, fontes: &[Fonte]) -> Receita {
    let (pasta, arquivo) = pasta_e_arquivo(&servidor.caminho);
    let citado = shell_words::quote(&arquivo.to_string_lossy()).into_owned();
    let com = |iniciar: String| Receita {
        servidor: servidor.caminho.clone(),
        ..a_mando(pasta.clone(), iniciar, Origem::Adivinhado)
    };
    let compilada = |preparar: String, precisa| Receita {
        preparar: Some(preparar),
        precisa: vec![precisa],
        ..com(COMPILADO.into())
    };
    match servidor.lingua {
        Lingua::Python => Receita { precisa: vec!["python3"], ..com(format!("python3 {citado}")) },
        Lingua::Node => Receita { precisa: vec!["node"], ..com(format!("node {citado}")) },
        Lingua::Java => em_java(raiz, servidor, fontes),
        Lingua::C | Lingua::Cpp => em_c(raiz, servidor, fontes),
        Lingua::Go => match acima_com(raiz, &pasta, "go.mod") {
            Some(_) => compilada(format!("go build -o {COMPILADO} ."), "go"),
            None => compilada(format!("go build -o {COMPILADO} {citado}"), "go"),
        },
        Lingua::Rust => match acima_com(raiz, &pasta, "Cargo.toml") {
            Some(projeto) => em_cargo(projeto, servidor),
            None => compilada(format!("rustc -O -o {COMPILADO} {citado}"), "rustc"),
        },
    }
}

/// A pasta mais próxima, desta para cima, que tem este arquivo.
fn acima_com(raiz: &Path, pasta: &Path, arquivo: &str) -> Option<PathBuf> {
    let achada = pasta.ancestors().find(|pasta| raiz.join(pasta).join(arquivo).is_file());
    achada.map(Path::to_owned)
}

fn em_cargo(projeto: PathBuf, servidor: &Fonte) -> Receita {
    let nome = servidor.caminho.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let binario = if servidor.caminho.parent().is_some_and(|pasta| pasta.ends_with("bin")) {
        format!(" --bin {}", shell_words::quote(&nome))
    } else {
        String::new()
    };
    Receita {
        servidor: servidor.caminho.clone(),
        preparar: Some(format!("cargo build --release --offline{binario}")),
        precisa: vec!["cargo", "rustc"],
        ..a_mando(projeto, EXECUTAVEL.into(), Origem::Adivinhado)
    }
}

fn em_java(raiz: &Path, servidor: &Fonte, fontes: &[Fonte]) -> Receita {
    let (pasta, arquivo) = pasta_e_arquivo(&servidor.caminho);
    let pacote = servidor.texto.lines().find_map(|linha| {
        linha.trim().strip_prefix("package ")?.split(';').next().map(|nome| nome.trim().to_owned())
    });
    let classe = servidor.caminho.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let inteira = pacote.as_ref().map_or(classe.clone(), |pacote| format!("{pacote}.{classe}"));
    let com = |pasta, preparar: Option<String>, iniciar: String, precisa| Receita {
        servidor: servidor.caminho.clone(),
        preparar,
        precisa,
        ..a_mando(pasta, iniciar, Origem::Adivinhado)
    };
    if let Some(projeto) = acima_com(raiz, &pasta, "pom.xml") {
        let preparar = Some("mvn -o -q compile".to_owned());
        return com(
            projeto,
            preparar,
            format!("java -cp target/classes {inteira}"),
            vec!["mvn", "java"],
        );
    }
    let vizinhos = fontes.iter().filter(|fonte| fonte.lingua == Lingua::Java).count();
    if vizinhos == 1 && pacote.is_none() {
        let citado = shell_words::quote(&arquivo.to_string_lossy()).into_owned();
        return com(pasta, None, format!("java {citado}"), vec!["java", "javac"]);
    }
    // As fontes começam onde começa o pacote.
    let niveis = pacote.as_ref().map_or(0, |pacote| pacote.split('.').count());
    let origem = pasta.ancestors().nth(niveis).unwrap_or(Path::new("")).to_owned();
    let da_origem = servidor.caminho.strip_prefix(&origem).unwrap_or(&servidor.caminho);
    let citado = shell_words::quote(&da_origem.to_string_lossy()).into_owned();
    let preparar =
        Some(format!("javac -encoding UTF-8 -d classes_compiladas -sourcepath . {citado}"));
    com(origem, preparar, format!("java -cp classes_compiladas {inteira}"), vec!["javac", "java"])
}

fn em_c(raiz: &Path, servidor: &Fonte, fontes: &[Fonte]) -> Receita {
    let (pasta, arquivo) = pasta_e_arquivo(&servidor.caminho);
    let (compilador, padrao) = match servidor.lingua {
        Lingua::Cpp => ("g++", "-std=c++17"),
        _ => ("gcc", "-std=gnu11"),
    };
    let makefile = ["Makefile", "makefile", "GNUmakefile"];
    let projeto = makefile.iter().find_map(|nome| acima_com(raiz, &pasta, nome));
    if let Some(projeto) = projeto {
        return Receita {
            servidor: servidor.caminho.clone(),
            preparar: Some("make".into()),
            precisa: vec!["make", compilador],
            ..a_mando(projeto, EXECUTAVEL.into(), Origem::Adivinhado)
        };
    }
    // Os outros arquivos da pasta que não são programas por si são partes deste.
    let parte = |fonte: &&Fonte| {
        fonte.lingua == servidor.lingua
            && fonte.caminho.parent() == servidor.caminho.parent()
            && fonte.caminho != servidor.caminho
            && !fonte.e_principal()
    };
    let partes = fontes.iter().filter(parte).filter_map(|fonte| fonte.caminho.file_name());
    let nomes = partes.map(|nome| nome.to_string_lossy().into_owned());
    let todos: Vec<String> =
        std::iter::once(arquivo.to_string_lossy().into_owned()).chain(nomes).collect();
    let arquivos = shell_words::join(todos);
    Receita {
        servidor: servidor.caminho.clone(),
        preparar: Some(format!("{compilador} {padrao} -O1 -pthread -o {COMPILADO} {arquivos}")),
        precisa: vec![compilador],
        ..a_mando(pasta, COMPILADO.into(), Origem::Adivinhado)
    }
}

fn sem_servidor(raiz: &Path, fontes: &[Fonte]) -> SemReceita {
    if fontes.is_empty() {
        let algum = fs::read_dir(raiz).into_iter().flatten().flatten().next();
        return SemReceita::SemPrograma(algum.map(|a| visivel(&a.file_name().to_string_lossy())));
    }
    let nomes = |fontes: &mut dyn Iterator<Item = &Fonte>| -> Vec<String> {
        fontes.take(5).map(|fonte| visivel(&fonte.caminho.to_string_lossy())).collect()
    };
    let em_udp = nomes(&mut fontes.iter().filter(|fonte| fonte.usa_udp() && !fonte.conecta));
    if !em_udp.is_empty() {
        return SemReceita::EmUdp(em_udp);
    }
    SemReceita::SemServidor(nomes(&mut fontes.iter()))
}

fn outros_servidores(escolhido: &Fonte, fontes: &[Fonte]) -> Option<String> {
    let outro =
        |fonte: &&Fonte| fonte.escuta && fonte.e_principal() && fonte.caminho != escolhido.caminho;
    let nomes: Vec<String> = fontes
        .iter()
        .filter(outro)
        .map(|fonte| visivel(&fonte.caminho.to_string_lossy()))
        .collect();
    (!nomes.is_empty()).then(|| {
        format!(
            "a entrega tem outro servidor ({}): avaliou-se {}",
            nomes.join(", "),
            visivel(&escolhido.caminho.to_string_lossy())
        )
    })
}

#[cfg(test)]
mod testes {
    use super::*;

    fn deduzida(arquivos: &[(&str, &str)], iniciar: Option<&str>) -> Result<Receita, SemReceita> {
        let raiz = tempfile::tempdir().unwrap();
        for (nome, texto) in arquivos {
            let caminho = raiz.path().join(nome);
            fs::create_dir_all(caminho.parent().unwrap()).unwrap();
            fs::write(caminho, texto).unwrap();
        }
        let mandado = Mandado { iniciar: iniciar.map(String::from), porta: 12346 };
        deduzir(raiz.path(), &mandado)
    }

    const PYTHON: &str = "import socket\ns.listen()\ns.accept()\n# COMPRAR\n";
    const CLIENTE: &str = "import socket\ns.connect(('localhost', 12346))\n";

    #[track_caller]
    fn abre(arquivos: &[(&str, &str)], pasta: &str, preparar: Option<&str>, iniciar: &str) {
        let receita = deduzida(arquivos, None).unwrap();
        assert_eq!(
            (receita.pasta.to_str(), receita.preparar.as_deref(), &*receita.iniciar),
            (Some(pasta), preparar, iniciar)
        );
    }

    #[test]
    fn cada_linguagem_se_abre_do_seu_jeito() {
        abre(&[("x/a.py", PYTHON), ("x/b.py", CLIENTE)], "x", None, "python3 a.py");
        abre(&[("meu servidor.py", PYTHON)], "", None, "python3 'meu servidor.py'");
        abre(&[("s.js", "net.createServer(f)")], "", None, "node s.js");
        let java = "public class S { static void main(String[] a) { new ServerSocket(1); } }";
        abre(&[("S.java", java)], "", None, "java S.java");
        let c = "int main(void) { listen(s, 5); }";
        abre(
            &[("s.c", c), ("util.c", "int f(void);"), ("cliente.c", "int main() { connect(); }")],
            "",
            Some("gcc -std=gnu11 -O1 -pthread -o ./servidor_compilado s.c util.c"),
            "./servidor_compilado",
        );
        abre(&[("s.c", c), ("Makefile", "all:\n")], "", Some("make"), EXECUTAVEL);
        let cpp = "int main() { listen(s, 5); }";
        abre(
            &[("s.cpp", cpp)],
            "",
            Some("g++ -std=c++17 -O1 -pthread -o ./servidor_compilado s.cpp"),
            "./servidor_compilado",
        );
        let go = "func main() { net.Listen() }";
        abre(
            &[("s.go", go)],
            "",
            Some("go build -o ./servidor_compilado s.go"),
            "./servidor_compilado",
        );
        let rust = "fn main() { TcpListener::bind(); }";
        abre(
            &[("s.rs", rust)],
            "",
            Some("rustc -O -o ./servidor_compilado s.rs"),
            "./servidor_compilado",
        );
        abre(
            &[("Cargo.toml", ""), ("src/bin/servidor.rs", rust)],
            "",
            Some("cargo build --release --offline --bin servidor"),
            EXECUTAVEL,
        );
    }

    #[test]
    fn o_java_de_varias_classes_se_compila_a_partir_de_onde_o_pacote_comeca() {
        let java = "package br.vendas;\npublic class Servidor { static void main(String[] a) { new ServerSocket(1); } }";
        let outra = "package br.vendas;\nclass Estoque {}";
        let fontes = [("src/br/vendas/Servidor.java", java), ("src/br/vendas/Estoque.java", outra)];
        abre(
            &fontes,
            "src",
            Some(
                "javac -encoding UTF-8 -d classes_compiladas -sourcepath . br/vendas/Servidor.java",
            ),
            "java -cp classes_compiladas br.vendas.Servidor",
        );
        let maven = [("pom.xml", ""), ("src/main/java/br/vendas/Servidor.java", java)];
        abre(&maven, "", Some("mvn -o -q compile"), "java -cp target/classes br.vendas.Servidor");
    }

    #[test]
    fn o_java_em_pecas_comeca_por_quem_tem_o_main() {
        let peca = "class Porta { ServerSocket s; }";
        let principal = "public class Main { static void main(String[] a) { new Porta(); } }";
        let receita = deduzida(&[("Porta.java", peca), ("Main.java", principal)], None).unwrap();
        assert_eq!(receita.iniciar, "java -cp classes_compiladas Main");
    }

    #[test]
    fn o_que_o_programa_faz_vale_mais_que_o_nome() {
        let trocados = [("cliente.py", PYTHON), ("servidor.py", CLIENTE)];
        assert_eq!(deduzida(&trocados, None).unwrap().iniciar, "python3 cliente.py");
        assert_eq!(deduzida(&trocados, None).unwrap().cliente, Some("servidor.py".into()));
    }

    #[test]
    fn a_versao_sem_lock_que_o_enunciado_pede_nao_e_a_que_se_avalia() {
        let com = "lock = threading.Lock()\ns.listen()\nCOMPRAR";
        let receita =
            deduzida(&[("servidor.py", com), ("servidor_sem_lock.py", PYTHON)], None).unwrap();
        assert_eq!(receita.iniciar, "python3 servidor.py");
        assert!(receita.notas[0].contains("outro servidor (servidor_sem_lock.py)"));
        for sem in ["servidor_sem_o_lock.py", "lock_free.py", "servidor_nao_usa_mutex.py"] {
            let receita = deduzida(&[("servidor.py", com), (sem, PYTHON)], None).unwrap();
            assert_eq!(receita.iniciar, "python3 servidor.py", "e não {sem}");
        }
    }

    #[test]
    fn entre_dois_com_um_lock_vale_o_que_diz_no_nome_que_o_tem() {
        let com = "lock = threading.Lock()\ns.listen()\nCOMPRAR\n";
        // O Lock deste é só da lista de clientes.
        let da_lista = &format!("{com}AVISO\n");
        for (certo, outro) in [
            ("servidor_com_lock.py", "servidor.py"),
            ("servidor-lock.py", "servidor.py"),
            ("servidorComLock.py", "servidor.py"),
            ("server_with_lock.py", "server_without_lock.py"),
            ("com_lock/servidor.py", "a/servidor.py"),
            ("com_lock/servidor.py", "Sem Lock/servidor.py"),
            ("servidor.py", "servidor_nolock.py"),
            ("servidor.py", "servidor_unlocked.py"),
            ("servidor_com_lock.py", "servidor_sem_o_lock.py"),
        ] {
            let receita = deduzida(&[(certo, com), (outro, da_lista)], None).unwrap();
            assert_eq!(receita.servidor.to_str(), Some(certo), "e não {outro}");
            assert!(receita.notas[0].contains(outro), "{:?}", receita.notas);
        }
    }

    #[test]
    fn de_um_modulo_que_so_define_executa_se_quem_o_importa() {
        let modulo =
            "import socket\nclass Servidor:\n    def abrir(self):\n        self.s.listen()\n";
        let principal = "from servidor import Servidor\nServidor().abrir()\n";
        let receita = deduzida(&[("main.py", principal), ("servidor.py", modulo)], None).unwrap();
        assert_eq!(receita.iniciar, "python3 main.py");
    }

    #[test]
    fn o_comando_do_professor_vale_para_todos_e_o_da_entrega_para_ela() {
        let receita =
            deduzida(&[("x/s.py", PYTHON)], Some("python3 -u {arquivo} {porta}")).unwrap();
        assert_eq!(
            (receita.iniciar.as_str(), receita.origem),
            ("python3 -u s.py 12346", Origem::DeTodos)
        );
        let com_arquivo =
            [("x/s.py", PYTHON), ("x/iniciar.txt", "# assim\npython3 s.py --porta\n")];
        let receita = deduzida(&com_arquivo, Some("python3 {arquivo}")).unwrap();
        assert_eq!(receita.iniciar, "python3 s.py --porta");
        assert_eq!((receita.origem, receita.pasta.to_str()), (Origem::DaEntrega, Some("x")));
    }

    #[test]
    fn o_que_nao_se_abre_diz_por_que() {
        let dito = deduzida(&[("relatorio.pdf", "x")], None).unwrap_err().to_string();
        assert!(dito.contains("(há 'relatorio.pdf')"), "{dito}");
        let dito = deduzida(&[("cliente.py", CLIENTE)], None).unwrap_err().to_string();
        let esperado =
            "há cliente.py, mas nenhum arquivo que espere conexões (um socket com listen)";
        assert_eq!(dito, esperado);
        for (nome, texto) in [
            ("servidor.py", "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(x)"),
            ("servidor.c", "int main(void) { int s = socket(AF_INET, SOCK_DGRAM, 0); }"),
            ("servidor.go", "func main() { net.ListenUDP(\"udp\", a) }"),
        ] {
            let dito = deduzida(&[(nome, texto), ("outro.py", "x")], None).unwrap_err().to_string();
            let comeco = format!("{nome} usa UDP, e o §3.1 pede TCP");
            assert!(dito.starts_with(&comeco), "{dito}");
        }
        let so_arquivo = deduzida(&[("relatorio.pdf", "x")], Some("python3 {arquivo}"));
        assert!(matches!(so_arquivo, Err(SemReceita::SemPrograma(_))));
    }
}
