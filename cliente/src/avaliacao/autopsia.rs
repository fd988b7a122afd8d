//! A autópsia: o que o console de um servidor diz de uma queda. Acha, no rastro que o Python, o Node ou o
//! Java deixam, a exceção e a linha do aluno em que ela nasceu, e diz em uma frase o que mudar.
//!
//! Só lê texto; de que processo ele veio, e o que provocou a queda, não é daqui. Do que não entende, não
//! diz nada.

use std::borrow::Cow;
use std::fmt;

use protocolo::mensagem::visivel;

use super::modulo::{self, Falta};
use crate::sistema;

/// Quanto se mostra de uma linha que veio do servidor.
const LINHA_MAXIMA: usize = 120;

/// O que derrubou o servidor, ou uma thread dele.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Causa {
    /// A exceção e o que ela diz.
    pub erro: String,
    /// A linha do aluno mais próxima do erro.
    pub onde: Option<Lugar>,
    /// O que aconteceu, e o que mudar.
    pub conselho: Option<Cow<'static, str>>,
}

/// Uma linha de um programa.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lugar {
    /// O nome do arquivo, sem as pastas.
    pub arquivo: String,
    /// O número da linha.
    pub linha: u32,
    /// O que está escrito nela, se o console o mostra.
    pub codigo: Option<String>,
}

impl fmt::Display for Causa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", curta(&self.erro))?;
        if let Some(Lugar { arquivo, linha, codigo }) = &self.onde {
            write!(f, ", em {}, linha {linha}", curta(arquivo))?;
            if let Some(codigo) = codigo {
                write!(f, ": '{}'", curta(codigo))?;
            }
        }
        self.conselho.as_ref().map_or(Ok(()), |conselho| write!(f, "; {conselho}"))
    }
}

impl Causa {
    /// A mesma causa; se é um módulo que não há, com o que se sabe dele.
    fn por_falta_de(self, falta: Option<Falta>) -> Self {
        let falta = falta.map(|falta| Cow::Owned(falta.to_string()));
        Causa { conselho: falta.or(self.conselho), ..self }
    }
}

/// Um texto do servidor: sem sequências de controle e, se é longo, só o começo.
pub fn curta(texto: &str) -> String {
    let texto = texto.trim();
    let comeco: String = texto.chars().take(LINHA_MAXIMA).collect();
    let reticencias = if comeco.len() < texto.len() { "..." } else { "" };
    format!("{}{reticencias}", visivel(&comeco))
}

/// A última exceção que o console mostra e ninguém tratou.
pub fn autopsiar(console: &str) -> Option<Causa> {
    let console = sem_cores(console);
    do_python(&console)
        .or_else(|| de_uma_pilha(&console))
        .or_else(|| do_lancador(&console))
        .or_else(|| do_compilador(&console))
}

/// O console sem as sequências de cor, que o Node, o gcc e o Python novo põem no rastro diante de um terminal.
pub fn sem_cores(console: &str) -> String {
    let mut pedacos = console.split("\x1b[");
    let mut limpo = pedacos.next().unwrap_or_default().to_owned();
    for pedaco in pedacos {
        let fim = pedaco.find(|letra: char| letra.is_ascii_alphabetic());
        limpo += fim.map_or("", |fim| &pedaco[fim + 1..]);
    }
    limpo
}

/// A última linha que diz algo.
pub fn ultima_linha(console: &str) -> Option<String> {
    console.lines().map(str::trim).rfind(|linha| !linha.is_empty()).map(curta)
}

/// A pergunta em que o console parou, se parou em uma: uma linha sem fim, ou a última, se acaba como quem
/// espera.
pub fn pergunta(console: &str) -> Option<String> {
    let aberta = console.rsplit('\n').next().map(curta).filter(|linha| !linha.is_empty());
    let como_quem_espera = |linha: &String| linha.ends_with([':', '?', '>']);
    aberta.or_else(|| ultima_linha(console).filter(como_quem_espera))
}

/// Um passo da pilha.
struct Quadro {
    lugar: Lugar,
    funcao: String,
    da_biblioteca: bool,
}

/// O mais próximo do erro que é do aluno; `quadros` começa pelo mais próximo.
fn do_aluno<'a>(mut quadros: impl Iterator<Item = &'a Quadro>) -> Option<&'a Quadro> {
    quadros.find(|quadro| !quadro.da_biblioteca)
}

/// ```text
/// Traceback (most recent call last):
///   File "servidor.py", line 9, in avisar
///     c.sendall(AVISO)
/// BrokenPipeError: [Errno 32] Broken pipe
/// ```
fn do_python(console: &str) -> Option<Causa> {
    let mut quadros: Vec<Quadro> = Vec::new();
    let mut ultima = None;
    for linha in console.lines() {
        let texto = linha.trim();
        if texto.starts_with("Traceback (most recent call last)") {
            quadros.clear();
        } else if let Some(quadro) = quadro_do_python(texto) {
            quadros.push(quadro);
        } else if let Some(quadro) = quadros.last_mut() {
            if linha.starts_with(' ') {
                quadro.lugar.codigo.get_or_insert_with(|| texto.to_owned());
            } else if e_uma_excecao(texto) {
                let nova = causa(texto, do_aluno(quadros.iter().rev()), Lingua::Python)
                    .por_falta_de(modulo::do_python(texto));
                ultima = Some(a_que_conta(ultima, nova));
                quadros.clear();
            }
        }
    }
    ultima
}

/// `File "servidor.py", line 9, in avisar`; em um erro de sintaxe, sem a função.
/// De duas exceções, a última; menos quando a anterior é do laço do AVISO, que deixa os outros sem ele, e a última é de
/// quem respondia a um cliente que saiu, que só acaba com a thread dele.
fn a_que_conta(anterior: Option<Causa>, nova: Causa) -> Causa {
    let diz = |causa: &Causa, comeco: &str| {
        causa.conselho.as_ref().is_some_and(|c| c.starts_with(comeco))
    };
    match anterior {
        Some(anterior)
            if diz(&anterior, "o laço do AVISO") && diz(&nova, "escreveu a um cliente") =>
        {
            anterior
        }
        _ => nova,
    }
}

fn quadro_do_python(texto: &str) -> Option<Quadro> {
    let (caminho, resto) = texto.strip_prefix("File \"")?.split_once("\", line ")?;
    let (linha, funcao) = resto.split_once(", in ").unwrap_or((resto, ""));
    let bibliotecas = ["/lib/python", "/lib64/python", "-packages/", "<frozen "];
    Some(Quadro {
        lugar: Lugar { arquivo: nome(caminho), linha: linha.parse().ok()?, codigo: None },
        funcao: funcao.into(),
        da_biblioteca: bibliotecas.iter().any(|biblioteca| caminho.contains(biblioteca)),
    })
}

/// `BrokenPipeError: [Errno 32] Broken pipe`, ou só o nome. Outra thread pode escrever no meio do rastro, e
/// o que ela diz não é uma exceção: o nome acaba como os do Python, ou tem mais de uma palavra.
fn e_uma_excecao(texto: &str) -> bool {
    let nome = texto.split_once(": ").map_or(texto, |(nome, _)| nome);
    let letras = |letra: char| letra.is_alphanumeric() || matches!(letra, '_' | '.');
    let acaba = ["Error", "Exception", "Interrupt", "Exit", "error", "timeout"];
    let palavras = nome.chars().filter(|letra| letra.is_uppercase()).count();
    let varias = palavras > 1 && nome.chars().any(char::is_lowercase);
    nome.chars().all(letras) && (varias || acaba.iter().any(|fim| nome.ends_with(fim)))
}

/// ```text
/// Exception in thread "main" java.lang.IllegalStateException: x
///     at Servidor.avisar(Servidor.java:31)
/// Caused by: java.net.SocketException: Broken pipe
/// ```
///
/// E a do Node, que mostra antes o lugar e a linha.
fn de_uma_pilha(console: &str) -> Option<Causa> {
    let linhas: Vec<&str> = console.lines().collect();
    let passo = |linha: &str| {
        linha.starts_with([' ', '\t']).then(|| quadro_de_uma_pilha(linha.trim())).flatten()
    };
    let e_o_erro = |indice: &usize| {
        passo(linhas[*indice]).is_none()
            && passo(linhas[indice + 1]).is_some()
            && !linhas[*indice].contains(" instance at:")
    };
    let antes_dos_passos = (0..linhas.len().saturating_sub(1)).rfind(e_o_erro)?;
    let quadros: Vec<Quadro> =
        linhas[antes_dos_passos + 1..].iter().map_while(|linha| passo(linha)).collect();
    let (indice, pedido_por) = quem_pediu(&linhas, antes_dos_passos);
    let erro = linhas[indice].trim().trim_start_matches("Uncaught ");
    let erro = erro.trim_start_matches("Caused by: ");
    let erro = erro
        .strip_prefix("Exception in thread ")
        .map_or(erro, |resto| resto.rsplit_once("\" ").map_or(resto, |(_, erro)| erro));
    let java = quadros.iter().any(|quadro| quadro.lugar.arquivo.ends_with(".java"));
    let (lingua, falta) = if java {
        let passos = linhas.iter().rev().filter_map(|linha| passo(linha));
        let pacote = passos
            .filter(|quadro| !quadro.da_biblioteca)
            .find_map(|quadro| pacote_de(&quadro.funcao));
        (Lingua::Java, modulo::do_java(erro, pacote.as_deref()))
    } else {
        (Lingua::Node, modulo::do_node(erro, pedido_por))
    };
    let mostrado = mostrado_pelo_node(&linhas[..indice]);
    let mut causa =
        causa(erro, do_aluno(quadros.iter().chain(&mostrado)), lingua).por_falta_de(falta);
    if let (Some(onde), Some(mostrado)) = (&mut causa.onde, mostrado)
        && (&onde.arquivo, onde.linha) == (&mostrado.lugar.arquivo, mostrado.lugar.linha)
    {
        onde.codigo = mostrado.lugar.codigo;
    }
    Some(causa)
}

/// Entre o erro e os passos, o Node põe quem pediu o módulo que falta: onde está o erro, e quem o pediu.
///
/// ```text
/// Error: Cannot find module './estoque'
/// Require stack:
/// - /x/servidor.js
///     at Function._resolveFilename (node:internal/modules/cjs/loader:1225:15)
/// ```
fn quem_pediu<'a>(linhas: &[&'a str], antes_dos_passos: usize) -> (usize, Option<&'a str>) {
    let titulo = linhas[..=antes_dos_passos].iter().rposition(|linha| !linha.starts_with("- "));
    match titulo {
        Some(titulo @ 1..) if linhas[titulo].trim() == "Require stack:" => {
            (titulo - 1, linhas.get(titulo + 1).copied())
        }
        _ => (antes_dos_passos, None),
    }
}

/// O pacote de `br.vendas.Servidor.main`, se ela tem um.
fn pacote_de(funcao: &str) -> Option<String> {
    let funcao = funcao.rsplit('/').next().unwrap_or(funcao);
    let (classe, _) = funcao.rsplit_once('.')?;
    classe.rsplit_once('.').map(|(pacote, _)| pacote.to_owned())
}

/// O que o `java` diz se não chega a começar.
///
/// ```text
/// Error: Could not find or load main class Servidor
/// Caused by: java.lang.ClassNotFoundException: Servidor
/// ```
fn do_lancador(console: &str) -> Option<Causa> {
    let comecos =
        ["Error: Could not find or load main class ", "Error: Unable to initialize main class "];
    let linhas: Vec<&str> = console.lines().map(str::trim).collect();
    linhas.windows(2).find_map(|par| {
        let [erro, causa] = par else { return None };
        let principal = comecos.iter().find_map(|comeco| erro.strip_prefix(comeco))?;
        let pacote = principal.rsplit_once('.').map(|(pacote, _)| pacote);
        let falta = modulo::do_java(causa, pacote);
        let dito = Causa { erro: (*erro).into(), onde: None, conselho: None };
        Some(dito.por_falta_de(falta))
    })
}

/// `at Servidor.avisar(Servidor.java:31)`, `at f (/x/servidor.js:12:11)`, `at /x/servidor.js:12:11`.
fn quadro_de_uma_pilha(texto: &str) -> Option<Quadro> {
    // Depois do último, o Node abre o objeto que o erro é.
    let passo = texto.strip_prefix("at ")?.trim_end_matches(" {");
    let (funcao, lugar) =
        passo.strip_suffix(')').and_then(|aberto| aberto.rsplit_once('(')).unwrap_or(("", passo));
    let da_java =
        ["java.", "javax.", "jdk.", "sun."].iter().any(|pacote| passo.starts_with(pacote));
    let do_node = lugar.starts_with("node:") || lugar.contains("/node_modules/");
    // Um passo sem arquivo (`Native Method`) também é da pilha, e não é do aluno.
    let achado = lugar_com_dois_pontos(lugar);
    Some(Quadro {
        da_biblioteca: da_java || do_node || achado.is_none(),
        lugar: achado.unwrap_or(Lugar { arquivo: lugar.into(), linha: 0, codigo: None }),
        funcao: funcao.trim().into(),
    })
}

/// `servidor.js:12:11`, `Servidor.java:31`.
fn lugar_com_dois_pontos(texto: &str) -> Option<Lugar> {
    let (antes, ultimo) = texto.rsplit_once(':')?;
    let ultimo: u32 = ultimo.parse().ok()?;
    let (caminho, linha) = match antes.rsplit_once(':').map(|(c, linha)| (c, linha.parse())) {
        Some((caminho, Ok(linha))) => (caminho, linha),
        _ => (antes, ultimo),
    };
    Some(Lugar { arquivo: nome(caminho.trim_start_matches("file://")), linha, codigo: None })
}

/// `/x/servidor.js:12`, e embaixo a linha: é assim que o Node começa.
fn mostrado_pelo_node(antes: &[&str]) -> Option<Quadro> {
    let lugar = |linha: &str| {
        let do_aluno = linha.starts_with('/') || linha.starts_with("file://");
        do_aluno.then(|| lugar_com_dois_pontos(linha)).flatten()
    };
    let indice = antes.iter().rposition(|linha| lugar(linha).is_some())?;
    let codigo = antes.get(indice + 1).map(|codigo| codigo.trim().to_owned());
    let lugar = Lugar { codigo, ..lugar(antes[indice])? };
    Some(Quadro { lugar, funcao: String::new(), da_biblioteca: false })
}

/// `Servidor.java:5: error: ';' expected`, `servidor.c:5:3: error: ...`.
fn do_compilador(console: &str) -> Option<Causa> {
    let erros = [": error: ", ": erro: ", ": fatal error: "];
    console.lines().find_map(|linha| {
        let (lugar, erro) = erros.iter().find_map(|erro| linha.split_once(erro))?;
        let onde = Some(lugar_com_dois_pontos(lugar.trim())?);
        let erro = format!("não compila ({})", erro.trim());
        let falta = modulo::do_compilador(&erro);
        Some(Causa { erro, onde, conselho: None }.por_falta_de(falta))
    })
}

fn nome(caminho: &str) -> String {
    caminho.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Em que língua se dá o conselho.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lingua {
    Python,
    Java,
    Node,
}

fn causa(erro: &str, quadro: Option<&Quadro>, lingua: Lingua) -> Causa {
    let onde = quadro.map(|quadro| quadro.lugar.clone());
    let codigo = onde.as_ref().and_then(|onde| onde.codigo.clone()).unwrap_or_default();
    let funcao = quadro.map(|quadro| quadro.funcao.as_str()).unwrap_or_default();
    let conselho = aconselhar(erro, &codigo, funcao, lingua).map(Cow::Borrowed);
    Causa { erro: erro.into(), onde, conselho }
}

/// As exceções de quem conversa com um cliente que já se foi.
pub const DE_QUEM_SAIU: [&str; 9] = [
    "BrokenPipe",
    "ConnectionReset",
    "ConnectionAborted",
    "Bad file descriptor",
    "Broken pipe",
    "Connection reset",
    "Socket closed",
    "EPIPE",
    "ECONNRESET",
];

fn aconselhar(erro: &str, codigo: &str, funcao: &str, lingua: Lingua) -> Option<&'static str> {
    let tem = |textos: &[&str]| textos.iter().any(|texto| erro.contains(texto));
    if tem(&DE_QUEM_SAIU) {
        return Some(sobre_quem_saiu(erro, codigo, funcao, lingua));
    }
    if tem(&["UnicodeDecodeError"]) {
        return Some(
            "chegaram bytes que não são texto: decodifique com errors='replace', ou ponha try/except",
        );
    }
    if tem(&["changed size during iteration", "ConcurrentModificationException"]) {
        return Some(
            "a lista mudou no meio do laço: percorra uma cópia dela, feita com o Lock na mão",
        );
    }
    if tem(&["not in list", "not in deque"]) || (tem(&["KeyError"]) && codigo.contains("remove")) {
        return Some("tirou da lista um cliente que já não estava nela: confira antes de tirar");
    }
    if tem(&["Address already in use", "EADDRINUSE", "BindException"]) {
        return Some("a porta ainda estava presa: ligue SO_REUSEADDR antes do bind");
    }
    let fora = tem(&["IndexError", "ArrayIndexOutOfBounds"]);
    if fora && ["argv", "args["].iter().any(|nome| codigo.contains(nome)) {
        return Some(
            "esperava algo na linha de comando: sem isso, use a porta e o estoque do enunciado",
        );
    }
    if fora {
        return Some("um comando vazio ou curto: confira o tamanho antes de usar a posição");
    }
    None
}

fn sobre_quem_saiu(erro: &str, codigo: &str, funcao: &str, lingua: Lingua) -> &'static str {
    let juntos = format!("{codigo} {funcao}").to_lowercase();
    let tem = |textos: &[&str]| textos.iter().any(|texto| juntos.contains(texto));
    let aviso = tem(&["aviso", "avisa", "broadcast", "notific", "transmit", "todos"]);
    let escreve = tem(&["send", "write", "print"]) || erro.to_lowercase().contains("pipe");
    let le = tem(&["recv", "read"]);
    match lingua {
        Lingua::Node => {
            "um cliente saiu e o socket dele não tem quem trate o erro: ponha socket.on('error', ...)"
        }
        Lingua::Python if aviso && !le => {
            "o laço do AVISO escreveu a um cliente que já tinha saído: ponha try/except em volta do \
             envio e tire o cliente da lista"
        }
        Lingua::Java if aviso && !le => {
            "o laço do AVISO escreveu a um cliente que já tinha saído: ponha try/catch em volta do \
             envio e tire o cliente da lista"
        }
        Lingua::Python if escreve && !le => {
            "escreveu a um cliente que já tinha saído: ponha try/except em volta do envio e feche só a \
             conexão dele"
        }
        Lingua::Java if escreve && !le => {
            "escreveu a um cliente que já tinha saído: ponha try/catch em volta do envio e feche só a \
             conexão dele"
        }
        Lingua::Python => {
            "um cliente quebrou a conexão: ponha try/except em volta da conversa e feche só a conexão dele"
        }
        Lingua::Java => {
            "um cliente quebrou a conexão: ponha try/catch em volta da conversa e feche só a conexão dele"
        }
    }
}

/// Os sinais que derrubam um programa: o nome, o que quer dizer, e o que conferir.
const SINAIS: [(&str, &str, Option<&str>); 10] = [
    (
        "SIGSEGV",
        "falha de segmentação",
        Some("usou memória que não é dele: o recv cabe no buffer, e o texto termina em zero?"),
    ),
    (
        "SIGPIPE",
        "escreveu a um cliente que já tinha saído",
        Some("ignore este sinal, com signal(SIGPIPE, SIG_IGN), ou mande com MSG_NOSIGNAL"),
    ),
    (
        "SIGABRT",
        "o programa abortou",
        Some("uma exceção sem tratamento, um assert, ou um buffer estourado"),
    ),
    ("SIGBUS", "acesso inválido à memória", None),
    ("SIGFPE", "erro aritmético", Some("uma divisão por zero?")),
    ("SIGILL", "instrução inválida", None),
    ("SIGKILL", "foi morto", Some("faltou memória?")),
    ("SIGTERM", "pediram que terminasse", None),
    ("SIGHUP", "o terminal fechou", None),
    ("SIGINT", "foi interrompido", None),
];

/// `SIGSEGV (falha de segmentação); ...`: o sinal que derrubou um programa, e o que conferir.
pub fn explicar_sinal(numero: i32) -> String {
    match SINAIS.iter().find(|(nome, ..)| sistema::sinal(nome) == Some(numero)) {
        Some((nome, porque, Some(conselho))) => format!("{nome} ({porque}); {conselho}"),
        Some((nome, porque, None)) => format!("{nome} ({porque})"),
        None => format!("o sinal {numero}"),
    }
}

/// O sinal que este código de saída conta: o `sh` diz 128 e o número, do programa que ele esperava.
pub fn sinal_de_um_codigo(codigo: i32) -> Option<i32> {
    let numero = codigo - 128;
    SINAIS.iter().any(|(nome, ..)| sistema::sinal(nome) == Some(numero)).then_some(numero)
}

#[cfg(test)]
mod testes {
    use super::*;

    /// O que se diz do console.
    fn dito(console: &str) -> String {
        autopsiar(console).map(|causa| causa.to_string()).unwrap_or_default()
    }

    #[test]
    fn quem_espera_um_argumento_nao_e_acusado_de_ler_mal_um_comando() {
        let conselho = |codigo| {
            let erro = "IndexError: list index out of range";
            aconselhar(erro, codigo, "main", Lingua::Python).unwrap_or_default()
        };
        assert!(conselho("porta = int(sys.argv[1])").contains("linha de comando"));
        assert!(conselho("partes[0]").contains("comando vazio ou curto"));
    }

    #[test]
    fn de_um_rastro_do_python_fica_a_linha_do_aluno_mais_perto_do_erro() {
        let console = r#"[14:05:09] 127.0.0.1:5000 COMPRAR
Exception in thread Thread-21 (handle):
Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 1045, in _bootstrap_inner
    self.run()
  File "/usr/lib/python3.11/threading.py", line 982, in run
    self._target(*self._args, **self._kwargs)
  File "/home/ana/servidor.py", line 31, in handle
    broadcast()
  File "/home/ana/servidor.py", line 12, in broadcast
    c.sendall(AVISO.encode())
    ^^^^^^^^^^^^^^^^^^^^^^^^^
BrokenPipeError: [Errno 32] Broken pipe
outra linha do servidor
"#;
        let esperada = "BrokenPipeError: [Errno 32] Broken pipe, em servidor.py, linha 12: \
                        'c.sendall(AVISO.encode())'; o laço do AVISO escreveu a um cliente que já \
                        tinha saído: ponha try/except em volta do envio e tire o cliente da lista";
        assert_eq!(dito(console), esperada);
        // O terminal acaba as linhas com \r\n.
        assert_eq!(dito(&console.replace('\n', "\r\n")), esperada);
    }

    #[test]
    fn de_um_erro_dentro_de_uma_biblioteca_fica_quem_a_chamou() {
        let console = r#"Traceback (most recent call last):
  File "/x/s.py", line 3, in <module>
    texto = dados.decode()
  File "/usr/lib/python3.11/codecs.py", line 322, in decode
    (result, consumed) = self._buffer_decode(data, self.errors, final)
UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"#;
        let dito = dito(console);
        assert!(dito.contains("em s.py, linha 3: 'texto = dados.decode()'"), "{dito}");
        assert!(dito.contains("errors='replace'"), "{dito}");
    }

    #[test]
    fn de_duas_excecoes_vale_a_que_ninguem_tratou() {
        let console = r#"Traceback (most recent call last):
  File "/x/s.py", line 3, in handle
    dados = conn.recv(1024)
ConnectionResetError: [Errno 104] Connection reset by peer

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/x/s.py", line 9, in handle
    clientes.remove(conn)
ValueError: list.remove(x): x not in list"#;
        let dito = dito(console);
        assert!(dito.starts_with("ValueError: list.remove(x): x not in list, em s.py, linha 9"));
        assert!(dito.contains("já não estava nela"), "{dito}");
    }

    #[test]
    fn quem_respondia_a_um_cliente_que_saiu_nao_esconde_o_laco_do_aviso() {
        let resposta = "Traceback (most recent call last):\n  File \"s.py\", line 40, in atender\n    \
                        conn.sendall(resposta.encode())\nConnectionResetError: [Errno 104] Connection reset by peer\n";
        let aviso = "Traceback (most recent call last):\n  File \"s.py\", line 14, in avisar\n    \
                     cliente.sendall(AVISO.encode())\nBrokenPipeError: [Errno 32] Broken pipe\n";
        for console in [format!("{aviso}{resposta}"), format!("{resposta}{aviso}")] {
            assert!(dito(&console).contains("linha 14"), "{}", dito(&console));
        }
        assert!(dito(resposta).contains("linha 40"));
    }

    #[test]
    fn o_que_outra_thread_escreve_no_meio_do_rastro_nao_e_a_excecao() {
        let console = r#"Traceback (most recent call last):
  File "/x/s.py", line 3, in handle
    dados = conn.recv(1024)
COMPRAR
xxxxxxxxxx
CONSULTAR: Estoque atual: 10
EstoqueVazio: fim"#;
        assert_eq!(dito(console), "EstoqueVazio: fim, em s.py, linha 3: 'dados = conn.recv(1024)'");
        assert_eq!(dito(&console.replace("EstoqueVazio: fim", "")), "");
    }

    #[test]
    fn as_cores_do_rastro_nao_o_escondem() {
        let console = "Traceback (most recent call last):\r\n  File \x1b[35m\"/x/s.py\"\x1b[0m, line \x1b[35m3\x1b[0m, in \x1b[35mhandle\x1b[0m\r\n    d = \x1b[31mc.recv\x1b[0m\x1b[1;31m(9)\x1b[0m\r\n\x1b[1;35mValueError\x1b[0m: \x1b[35mx\x1b[0m\r\n";
        assert_eq!(dito(console), "ValueError: x, em s.py, linha 3: 'd = c.recv(9)'");
        let gcc =
            "\x1b[01m\x1b[Ks.c:2:\x1b[m\x1b[K \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Kexpected ';'";
        assert_eq!(dito(gcc), "não compila (expected ';'), em s.c, linha 2");
    }

    #[test]
    fn um_erro_de_sintaxe_tem_arquivo_e_linha() {
        let python =
            "  File \"/x/s.py\", line 2\n    if x = 1:\n       ^^^^^\nSyntaxError: invalid syntax";
        assert_eq!(dito(python), "SyntaxError: invalid syntax, em s.py, linha 2: 'if x = 1:'");
        let node = "/x/s.js:2\nlet x = ;\n        ^\n\nSyntaxError: Unexpected token ';'\n    at wrapSafe (node:internal/modules/cjs/loader:1378:20)\n    at node:internal/main/run_main_module:28:49\n\nNode.js v20";
        assert_eq!(dito(node), "SyntaxError: Unexpected token ';', em s.js, linha 2: 'let x = ;'");
        for compilador in ["s.c:5:3: error: expected ';'", "S.java:5: erro: expected ';'"] {
            let dito = dito(compilador);
            assert!(dito.starts_with("não compila (expected ';'), em "), "{dito}");
            assert!(dito.ends_with(", linha 5"), "{dito}");
        }
    }

    #[test]
    fn do_node_fica_a_linha_do_aluno_ou_o_que_falta() {
        let lancada = "/x/s.js:12\n    throw new Error('fim');\n    ^\n\nError: fim\n    at Socket.<anonymous> (/x/s.js:12:11)\n    at Socket.emit (node:events:518:28)\n\nNode.js v20";
        assert_eq!(dito(lancada), "Error: fim, em s.js, linha 12: 'throw new Error('fim');'");
        let reset = "node:events:497\n      throw er; // Unhandled 'error' event\n      ^\n\nError: read ECONNRESET\n    at TCP.onStreamRead (node:internal/stream_base_commons:216:20)\nEmitted 'error' event on Socket instance at:\n    at emitErrorNT (node:internal/streams/destroy:170:8) {\n  errno: -104\n}\n";
        let dito = dito(reset);
        assert!(dito.starts_with("Error: read ECONNRESET; "), "{dito}");
        assert!(dito.contains("socket.on('error', ...)"), "{dito}");
    }

    #[test]
    fn do_modulo_que_o_node_nao_acha_fica_o_nome_e_nao_quem_o_pediu() {
        let console = |modulo: &str| {
            format!(
                "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module '{modulo}'\n\
                 Require stack:\n- /x/estado.js\n- /x/servidor.js\n    at Function._resolveFilename \
                 (node:internal/modules/cjs/loader:1225:15)\n    at Object.<anonymous> (/x/estado.js:3:9) {{\n  \
                 code: 'MODULE_NOT_FOUND',\n  requireStack: [ '/x/estado.js', '/x/servidor.js' ]\n}}\n\nNode.js v22\n"
            )
        };
        let visto = dito(&console("./estoque"));
        assert_eq!(
            visto,
            "Error: Cannot find module './estoque', em estado.js, linha 3; falta na entrega o arquivo ./estoque"
        );
        let visto = dito(&console("express"));
        assert!(visto.contains("não há um módulo express: se é uma biblioteca"), "{visto}");
    }

    #[test]
    fn da_classe_que_o_java_nao_acha_se_diz_de_quem_e() {
        let console = |classe: &str| {
            let com_barras = classe.replace('.', "/");
            format!(
                "Exception in thread \"main\" java.lang.NoClassDefFoundError: {com_barras}\n\tat \
                 br.vendas.Servidor.main(Servidor.java:5)\nCaused by: java.lang.ClassNotFoundException: {classe}\n\tat \
                 java.base/java.net.URLClassLoader.findClass(URLClassLoader.java:445)\n\t... 1 more\n"
            )
        };
        let da_entrega = dito(&console("br.vendas.Estoque"));
        assert!(da_entrega.ends_with("; falta na entrega a classe br.vendas.Estoque"));
        let de_outro = dito(&console("com.google.gson.Gson"));
        assert!(de_outro.contains("não há um pacote com.google.gson: se é"), "{de_outro}");
        let sem_principal = "Error: Could not find or load main class br.vendas.Servidor\nCaused by: \
                             java.lang.ClassNotFoundException: br.vendas.Servidor\n";
        let dito = dito(sem_principal);
        assert!(dito.ends_with("; falta na entrega a classe br.vendas.Servidor"), "{dito}");
    }

    #[test]
    fn do_java_fica_a_ultima_causa_e_a_linha_do_aluno() {
        let console = "Exception in thread \"Thread-3\" java.lang.RuntimeException: x\n\tat Servidor.run(Servidor.java:40)\n\tat java.base/java.lang.Thread.run(Thread.java:840)\nCaused by: java.net.SocketException: Broken pipe\n\tat java.base/sun.nio.ch.NioSocketImpl.implWrite(NioSocketImpl.java:425)\n\tat Servidor.enviarAviso(Servidor.java:22)\n\t... 1 more\n";
        let visto = dito(console);
        assert!(
            visto
                .starts_with("java.net.SocketException: Broken pipe, em Servidor.java, linha 22; ")
        );
        assert!(visto.contains("o laço do AVISO") && visto.contains("try/catch"), "{visto}");
        let simples =
            "Exception in thread \"main\" java.lang.NullPointerException\n\tat S.main(S.java:3)";
        assert_eq!(dito(simples), "java.lang.NullPointerException, em S.java, linha 3");
    }

    #[test]
    fn de_um_console_comum_nao_se_diz_nada() {
        for console in [
            "",
            "Servidor na porta 12346\n[14:05:09] 127.0.0.1:5000 COMPRAR: ok\n",
            "erro: conexão quebrada\n  File x\n",
            "  at casa\n",
        ] {
            assert_eq!(dito(console), "");
        }
    }

    #[test]
    fn a_pergunta_e_a_linha_sem_fim_ou_a_que_acaba_como_quem_espera() {
        for (console, pergunta_dita) in [
            ("Porta: ", Some("Porta:")),
            ("1 - abrir\r\n2 - sair\r\nOpção: ", Some("Opção:")),
            ("Digite a porta:\n", Some("Digite a porta:")),
            ("Servidor aberto\n", None),
            ("", None),
        ] {
            assert_eq!(pergunta(console).as_deref(), pergunta_dita, "{console}");
        }
    }

    #[test]
    fn a_ultima_linha_que_diz_algo_vem_sem_controle_e_curta() {
        for (console, ultima) in [
            ("um\n dois \n\n  ", Some("dois")),
            ("a\x1b[31mb", Some(r"a\u{1b}[31mb")),
            (" \n", None),
        ] {
            assert_eq!(ultima_linha(console).as_deref(), ultima);
        }
        assert_eq!(ultima_linha(&"x".repeat(5000)).unwrap().len(), LINHA_MAXIMA + 3);
    }

    #[test]
    fn os_sinais_tem_nome_e_o_do_shell_se_reconhece() {
        let segv = sistema::sinal("SIGSEGV").unwrap();
        assert!(explicar_sinal(segv).starts_with("SIGSEGV (falha de segmentação)"));
        assert_eq!(explicar_sinal(60), "o sinal 60");
        assert_eq!(sinal_de_um_codigo(128 + segv), Some(segv));
        for codigo in [0, 1, 127, 128, 255] {
            assert_eq!(sinal_de_um_codigo(codigo), None);
        }
    }
}
