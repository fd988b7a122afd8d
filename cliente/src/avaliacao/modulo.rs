//! O módulo que um programa pediu e que não há: um arquivo dele que não veio, ou uma biblioteca que esta máquina não tem?
//! Só lê o que a linguagem disse. Do que pode ser uma coisa ou outra, diz as duas, e não acusa ninguém.

use std::fmt;

use super::autopsia::curta;

/// O que se diz de tudo o que pode ser da máquina, e só disso.
const SE_E_BIBLIOTECA: &str = "se é uma biblioteca, instale-a";

/// O que falta, e de quem é a falta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Falta {
    /// Um arquivo do próprio programa: só podia vir na entrega.
    Arquivo(String),
    /// Uma classe do próprio programa: também.
    Classe(String),
    /// Um módulo que não se sabe se é de uma biblioteca ou da entrega.
    Modulo(String),
    /// Um pacote do Java de que também não se sabe.
    Pacote(String),
}

impl fmt::Display for Falta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (o_que, nome) = match self {
            Falta::Arquivo(nome) => return write!(f, "falta na entrega o arquivo {}", curta(nome)),
            Falta::Classe(nome) => return write!(f, "falta na entrega a classe {}", curta(nome)),
            Falta::Modulo(nome) => ("módulo", nome),
            Falta::Pacote(nome) => ("pacote", nome),
        };
        let nome = curta(nome);
        write!(f, "não há um {o_que} {nome}: {SE_E_BIBLIOTECA}; ")?;
        f.write_str("se era um arquivo da entrega, ele não veio")
    }
}

/// Do que caiu por esta causa, pode faltar só alguma coisa desta máquina?
pub fn pode_ser_da_maquina(causa: &str) -> bool {
    causa.contains(SE_E_BIBLIOTECA)
}

/// `ModuleNotFoundError: No module named 'estoque'`. O Python chama do mesmo modo um arquivo do aluno e uma biblioteca.
pub(super) fn do_python(erro: &str) -> Option<Falta> {
    let nome = erro.strip_prefix("ModuleNotFoundError: No module named '")?;
    nome.split('\'').next().map(|nome| Falta::Modulo(nome.into()))
}

/// `Error: Cannot find module './estoque'`, pedido por este arquivo, se se sabe qual. Um caminho é do aluno, a não ser
/// que o peça uma biblioteca; um nome solto é de uma biblioteca, ou de um arquivo a que faltou o `./`.
pub(super) fn do_node(erro: &str, pedido_por: Option<&str>) -> Option<Falta> {
    let marcas = ["Cannot find module '", "Cannot find package '"];
    let (_, resto) = marcas.iter().find_map(|marca| erro.split_once(marca))?;
    let (nome, por) = resto.split_once('\'')?;
    let da_biblioteca = [pedido_por.unwrap_or_default(), por]
        .iter()
        .any(|quem| quem.replace('\\', "/").contains("/node_modules/"));
    let inteiro = nome.starts_with('/') || nome.get(1..).is_some_and(|r| r.starts_with(":\\"));
    let ultimo = nome.rsplit(['/', '\\']).next().unwrap_or(nome);
    Some(if nome.starts_with('.') && !da_biblioteca {
        Falta::Arquivo(nome.into())
    } else if inteiro && !da_biblioteca {
        Falta::Arquivo(ultimo.into())
    } else {
        Falta::Modulo(nome.into())
    })
}

/// `java.lang.ClassNotFoundException: br.vendas.Estoque`. É do aluno a que não tem pacote, e a do pacote de onde o
/// programa dele começa.
pub(super) fn do_java(erro: &str, pacote_do_aluno: Option<&str>) -> Option<Falta> {
    let excecoes = ["ClassNotFoundException: ", "NoClassDefFoundError: "];
    let (_, nome) = excecoes.iter().find_map(|excecao| erro.split_once(excecao))?;
    let nome = nome.trim().replace('/', ".");
    if nome.contains(' ') {
        return None;
    }
    Some(match nome.rsplit_once('.') {
        Some((pacote, _)) if Some(pacote) != pacote_do_aluno => Falta::Pacote(pacote.into()),
        _ => Falta::Classe(nome),
    })
}

/// Onde, no que os compiladores dizem, está o nome do que não acharam: entre isto e isto.
const NAO_ACHOU: [(&str, &str); 8] = [
    // O cargo, o Maven e o Go, que sem rede não o vão buscar.
    ("no matching package named `", "`"),
    ("the artifact ", " has not been downloaded"),
    ("no required module provides package ", ";"),
    ("module providing package ", " (imported by"),
    ("module providing package ", ":"),
    // O gcc, o clang e o ligador.
    ("fatal error: ", ": No such file or directory"),
    ("fatal error: '", "' file not found"),
    ("cannot find -l", ":"),
];

/// `error: package com.google.gson does not exist`, e o que outros compiladores dizem do que lhes falta. De um pacote de
/// que veio alguma classe, o do Java diz outra coisa.
pub fn do_compilador(erro: &str) -> Option<Falta> {
    let entre = |antes: &str, depois: &str| {
        let (_, resto) = erro.split_once(antes)?;
        resto.split_once(depois).map(|(nome, _)| nome.to_owned())
    };
    let do_java = ["error: package ", "(package "].iter();
    let pacote = do_java.filter_map(|antes| entre(antes, " does not exist")).next();
    if let Some(pacote) = pacote {
        let do_sistema = ["java.", "javax."].iter().any(|inicio| pacote.starts_with(inicio));
        return (!do_sistema).then_some(Falta::Pacote(pacote));
    }
    let do_proxy = erro.split_once(": Get \"https://proxy.golang.org").map(|(antes, _)| antes);
    let do_proxy = do_proxy.and_then(|antes| antes.rsplit(": ").next()).map(str::to_owned);
    let outro = NAO_ACHOU.iter().find_map(|(antes, depois)| entre(antes, depois));
    do_proxy.or(outro).map(Falta::Modulo)
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn do_python_nao_se_sabe_de_quem_e_a_falta_e_se_dizem_as_duas_leituras() {
        let falta = do_python("ModuleNotFoundError: No module named 'estoque'").unwrap();
        assert_eq!(
            falta.to_string(),
            "não há um módulo estoque: se é uma biblioteca, instale-a; se era um arquivo da entrega, ele não veio"
        );
        assert!(pode_ser_da_maquina(&falta.to_string()));
        assert_eq!(do_python("ImportError: cannot import name 'x'"), None);
    }

    #[test]
    fn do_node_um_caminho_e_da_entrega_e_um_nome_solto_nao_se_sabe() {
        let [arquivo, modulo] = [Falta::Arquivo, Falta::Modulo].map(|f| move |n: &str| f(n.into()));
        let esm = |resto: &str| format!("Error [ERR_MODULE_NOT_FOUND]: Cannot find {resto}");
        let esm_arquivo = esm("module '/x/e.js' imported from /x/s.mjs");
        let esm_pacote = esm("package 'ws' imported from /x/s.mjs");
        let esm_de_biblioteca = esm("module '/x/e.js' imported from /x/node_modules/a/i.js");
        for (erro, pedido_por, falta) in [
            ("Error: Cannot find module './estoque'", Some("/x/servidor.js"), arquivo("./estoque")),
            ("Error: Cannot find module '../a/b'", None, arquivo("../a/b")),
            ("Error: Cannot find module '/x/nada.js'", None, arquivo("nada.js")),
            ("Error: Cannot find module 'C:\\x\\nada.js'", None, arquivo("nada.js")),
            ("Error: Cannot find module 'express'", Some("/x/servidor.js"), modulo("express")),
            ("Error: Cannot find module './b'", Some("/x/node_modules/a/i.js"), modulo("./b")),
            (&esm_arquivo, None, arquivo("e.js")),
            (&esm_pacote, None, modulo("ws")),
            (&esm_de_biblioteca, None, modulo("/x/e.js")),
        ] {
            assert_eq!(do_node(erro, pedido_por), Some(falta), "{erro}");
        }
        assert_eq!(arquivo("./estoque").to_string(), "falta na entrega o arquivo ./estoque");
        assert!(!pode_ser_da_maquina(&arquivo("./estoque").to_string()));
        assert_eq!(do_node("Error: fim", None), None);
    }

    #[test]
    fn do_java_e_da_entrega_a_classe_sem_pacote_ou_do_pacote_do_aluno() {
        let falta = |nome: &str, pacote| {
            do_java(&format!("java.lang.ClassNotFoundException: {nome}"), pacote).unwrap()
        };
        assert_eq!(falta("Estoque", None), Falta::Classe("Estoque".into()));
        assert_eq!(falta("br.vendas.E", Some("br.vendas")), Falta::Classe("br.vendas.E".into()));
        assert_eq!(falta("com.google.gson.Gson", None), Falta::Pacote("com.google.gson".into()));
        let outro = falta("com.google.gson.Gson", Some("br.vendas"));
        assert!(pode_ser_da_maquina(&outro.to_string()), "{outro}");
        let com_barras = do_java("NoClassDefFoundError: br/vendas/E", Some("br.vendas"));
        assert_eq!(com_barras, Some(Falta::Classe("br.vendas.E".into())));
        assert_eq!(do_java("NoClassDefFoundError: Could not initialize class E", None), None);
    }

    #[test]
    fn do_compilador_so_o_pacote_que_nao_e_do_proprio_java() {
        let gson = "não compila (S.java:1: error: package com.google.gson does not exist)";
        assert_eq!(do_compilador(gson), Some(Falta::Pacote("com.google.gson".into())));
        assert_eq!(do_compilador(&gson.replace("com.google.gson", "java.utils")), None);
        assert_eq!(do_compilador("S.java:1: error: cannot find symbol"), None);
    }

    #[test]
    fn do_compilador_o_que_nao_se_achou_sem_rede_nao_se_sabe_de_quem_e() {
        for (dito, nome) in [
            ("error: no matching package named `rocket` found", "rocket"),
            (
                "[ERROR] Cannot access central (https://x) in offline mode and the artifact com.g:gson:jar:2.8 has not been downloaded from it before.",
                "com.g:gson:jar:2.8",
            ),
            (
                "m.go:2:8: no required module provides package github.com/g/mux; to add it:",
                "github.com/g/mux",
            ),
            (
                "m.go:2:8: missing go.sum entry for module providing package github.com/g/mux (imported by v); to add:",
                "github.com/g/mux",
            ),
            (
                "m.go:2:8: cannot find module providing package github.com/g/mux: module lookup disabled",
                "github.com/g/mux",
            ),
            (
                "m.go:2:8: github.com/g/mux@v1.8.0: Get \"https://proxy.golang.org/x.zip\": dial tcp: lookup",
                "github.com/g/mux@v1.8.0",
            ),
            ("s.c:1:10: fatal error: microhttpd.h: No such file or directory", "microhttpd.h"),
            ("s.c:1:10: fatal error: 'microhttpd.h' file not found", "microhttpd.h"),
            ("/usr/bin/ld: cannot find -luv: No such file or directory", "uv"),
        ] {
            assert_eq!(do_compilador(dito), Some(Falta::Modulo(nome.into())), "{dito}");
        }
        assert_eq!(do_compilador("m.go:4:1: syntax error: unexpected }"), None);
    }
}
