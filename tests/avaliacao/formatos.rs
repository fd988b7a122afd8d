//! O que outros sistemas leem: o XML do JUnit e o JSON do Gradescope, inteiros e bem formados diga o servidor o que disser.
//!
//! O XML se lê com um leitor de XML, e confere-se com o que o esquema do Jenkins (`junit-10.xsd`) permite: que filhos e que
//! atributos cada elemento tem, quais são obrigatórios, e as contas.

use super::*;
use roxmltree::{Document, Node};

/// Responde com tudo o que um documento não aguenta: o fim de um CDATA, um NUL, bytes que não são UTF-8, cores, um
/// caractere que não é caractere, e marcas.
const HOSTIL: &str = r#"
import socket, sys, threading
VENENO = b"]]> \x00 \xff\xfe \x1b[31m \xef\xbf\xbe </failure> &nada; \"' estoque 10"
def atender(s):
    print(VENENO.decode("latin-1"), flush=True)
    try:
        while s.recv(1024):
            s.sendall(VENENO + b"\n")
    except OSError:
        pass
porta = socket.socket()
porta.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
porta.bind(("127.0.0.1", int(sys.argv[1])))
porta.listen()
while True:
    threading.Thread(target=atender, args=(porta.accept()[0],), daemon=True).start()
"#;

/// Um elemento do esquema: os atributos obrigatórios, os outros, e os filhos.
type Regra =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const ESQUEMA: [Regra; 8] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name"],
        &[
            "tests",
            "failures",
            "errors",
            "skipped",
            "group",
            "time",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        ],
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &[], &["property"]),
    ("property", &["name", "value"], &[], &[]),
    (
        "testcase",
        &["name"],
        &["classname", "time", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["message", "type"], &[]),
    ("error", &[], &["message", "type"], &[]),
    ("system-out", &[], &[], &[]),
];

fn confere_o_elemento(elemento: Node<'_, '_>) {
    let nome = elemento.tag_name().name();
    let regra = ESQUEMA.iter().find(|(qual, ..)| *qual == nome);
    let (_, obrigatorios, outros, filhos) = regra.unwrap_or_else(|| panic!("<{nome}>"));
    for atributo in elemento.attributes() {
        let conhecido = [*obrigatorios, *outros].concat().contains(&atributo.name());
        assert!(conhecido, "<{nome} {}>", atributo.name());
    }
    assert!(
        obrigatorios.iter().all(|obrigatorio| elemento.has_attribute(*obrigatorio)),
        "<{nome}>"
    );
    for filho in elemento.children().filter(Node::is_element) {
        assert!(filhos.contains(&filho.tag_name().name()), "<{nome}>: {filho:?}");
        confere_o_elemento(filho);
    }
}

fn do_tipo<'a, 'd>(suite: Node<'a, 'd>, nome: &'a str) -> impl Iterator<Item = Node<'a, 'd>> {
    suite.descendants().filter(move |elemento| elemento.has_tag_name(nome))
}

/// O XML cabe no esquema, e as contas são as dos casos. Devolve os textos e os atributos, juntos.
fn confere_o_junit(xml: &str) -> String {
    let documento = Document::parse(xml).unwrap_or_else(|erro| panic!("{erro}: {xml}"));
    let raiz = documento.root_element();
    assert!(raiz.has_tag_name("testsuites"), "{xml}");
    confere_o_elemento(raiz);
    let suite = do_tipo(raiz, "testsuite").next().unwrap();
    let contas = [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ];
    for (atributo, elemento) in contas {
        let conta: usize = suite.attribute(atributo).unwrap().parse().unwrap();
        assert_eq!(conta, do_tipo(suite, elemento).count(), "{atributo}: {xml}");
    }
    if let Some(tempo) = suite.attribute("time") {
        assert!(tempo.parse::<f64>().unwrap() >= 0.0, "{tempo}");
        assert_eq!(tempo.split_once('.').unwrap().1.len(), 3, "três casas: {tempo}");
    }
    let quando = suite.attribute("timestamp").unwrap();
    humantime::parse_rfc3339(&format!("{quando}Z")).unwrap();
    let textos = raiz.descendants().filter_map(|no| no.text().map(String::from));
    let atributos = raiz.descendants().flat_map(|no| no.attributes().map(|a| a.value().to_owned()));
    textos.chain(atributos).collect::<Vec<_>>().join("\n")
}

/// Os campos e os tipos que a documentação do Gradescope dá, e os valores que ela admite.
fn confere_o_gradescope(json: &str) -> Value {
    let lido: Value = serde_json::from_str(json).unwrap();
    let tambem = ["execution_time", "output_format", "test_output_format", "test_name_format"];
    let campos = [&["score", "output", "visibility", "tests"][..], &tambem].concat();
    assert!(
        lido.as_object().unwrap().keys().all(|campo| campos.contains(&campo.as_str())),
        "{lido}"
    );
    for formato in &tambem[1..] {
        assert_eq!(lido[formato], "text");
    }
    let visibilidades = ["hidden", "after_due_date", "after_published", "visible"];
    for prova in lido["tests"].as_array().unwrap() {
        let (pontos, de) = (prova["score"].as_f64().unwrap(), prova["max_score"].as_f64().unwrap());
        assert!(0.0 <= pontos && pontos <= de, "{prova}");
        assert!(["passed", "failed"].contains(&prova["status"].as_str().unwrap()), "{prova}");
        assert!(visibilidades.contains(&prova["visibility"].as_str().unwrap()), "{prova}");
        for texto in ["name", "number", "output"] {
            assert!(!prova[texto].as_str().unwrap().contains(char::is_control), "{prova}");
        }
    }
    lido
}

/// O que `avaliar` escreve neste formato.
fn em(formato: &str, iniciar: &str, porta: u16) -> Termino {
    let (porta, nome) = (porta.to_string(), "Ana <&> \"Lima\" ]]>");
    executar(
        &[
            &["--iniciar", iniciar, "--porta", &porta, "--nome", nome, "--formato", formato][..],
            &["--rodadas", "1", "--compradores", "12", "--espera", "2s"],
        ]
        .concat(),
    )
}

#[test]
fn um_servidor_que_responde_veneno_nao_estraga_nenhum_dos_dois() {
    let Some(python) = python() else { return };
    let pasta = tempfile::tempdir().unwrap();
    let script = pasta.path().join("hostil.py");
    std::fs::write(&script, HOSTIL).unwrap();
    let avaliado = |formato| {
        let porta = porta_livre();
        let fim = em(formato, &format!("exec '{python}' '{}' {porta}", script.display()), porta);
        assert_eq!(fim.codigo, Some(0), "{fim:?}");
        fim.saida
    };
    let textos = confere_o_junit(&avaliado("junit"));
    assert!(textos.contains("]]>") && textos.contains(r"\u{1b}[31m"), "{textos}");
    assert!(textos.contains("Ana <&> \"Lima\" ]]>"), "{textos}");
    let lido = confere_o_gradescope(&avaliado("gradescope"));
    let provas = lido["tests"].as_array().unwrap();
    let soma: f64 = provas.iter().map(|prova| prova["score"].as_f64().unwrap()).sum();
    assert!((soma - lido["score"].as_f64().unwrap()).abs() < 1e-6, "{lido}");
    assert!(provas.iter().any(|prova| prova["output"].as_str().unwrap().contains("]]>")), "{lido}");
}

#[test]
fn de_quem_nao_abre_e_da_porta_ocupada_os_dois_dizem_por_que_e_so_o_primeiro_vale_zero() {
    let porta = porta_livre();
    let veneno = r"printf 'fim ]]> \033[31m \377 \001 <b>\n'; exit 1";
    let fim = em("junit", veneno, porta);
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let textos = confere_o_junit(&fim.saida);
    assert!(textos.contains(r"fim ]]> \u{1b}[31m") && fim.saida.contains("<failure "), "{textos}");
    let lido = confere_o_gradescope(&em("gradescope", veneno, porta).saida);
    assert_eq!(lido["score"], 0.0);

    let dono = Servidor::abrir(&[]);
    let porta = dono.endereco().port();
    let ocupada = em("junit", "exec sleep 600", porta).saida;
    confere_o_junit(&ocupada);
    assert!(ocupada.contains("errors=\"1\"") && ocupada.contains("<error "), "{ocupada}");
    let lido = confere_o_gradescope(&em("gradescope", "exec sleep 600", porta).saida);
    assert!(lido.get("score").is_none(), "{lido}");
}
