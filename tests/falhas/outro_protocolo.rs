//! Quem fala outra língua: um navegador, um cliente TLS. Ouve que se enganou, e nada do que mandou
//! vale, por mais que uma linha do meio seja `COMPRAR`.

use super::*;

use testes::Cliente;

const OUTRO_PROTOCOLO: &str =
    "ERRO: Isto parece HTTP ou TLS. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n";

/// Cada pedaço de `pedacos` chega sozinho ao servidor, e ele responde uma vez e fecha em ordem; diz
/// quanto demorou.
fn e_dispensado(prova: &Prova, vizinho: &mut Cliente, pedacos: &[&[u8]]) -> Duration {
    let mut cliente = prova.servidor.cliente();
    let antes = Instant::now();
    for pedaco in pedacos {
        cliente.manda(pedaco);
        // O que chegou antes da pergunta do vizinho foi lido, o mais tardar, no turno dela.
        assert_eq!(vizinho.pede("CONSULTAR"), "Estoque atual: 10");
    }
    assert_eq!(cliente.fim(), OUTRO_PROTOCOLO);
    let demorou = antes.elapsed();
    assert!(demorou < Duration::from_secs(5), "fechou só em {demorou:?}");
    demorou
}

/// Faz o mesmo com cada conversa, muitas vezes: uma linha de comando para cada uma, chamada assim
/// `no_registro`, e nenhuma venda.
fn sao_dispensados(falha: &str, no_registro: &str, conversas: &[Vec<&[u8]>]) {
    let vezes = quantas(100, 1000);
    let prova = Prova::abrir(&[]);
    let mut vizinho = prova.servidor.cliente();
    let (mut mais, mut perguntas) = (Duration::ZERO, 0);
    for pedacos in conversas.iter().cycle().take(vezes * conversas.len()) {
        mais = mais.max(e_dispensado(&prova, &mut vizinho, pedacos));
        perguntas += pedacos.len();
    }
    drop(vizinho);

    let fim = prova.concluir();
    let dispensados = vezes * conversas.len();
    assert_eq!(fim.termino.conta("vendas"), 0);
    assert_eq!(fim.comandos() as usize, dispensados + perguntas, "um comando por conversa");
    let linha = format!("{no_registro} -> {}", OUTRO_PROTOCOLO.trim_end());
    assert_eq!(fim.no_registro(&linha), dispensados);
    assert_eq!(fim.no_registro("desconectou (outro protocolo)"), dispensados);
    let medido = format!("{dispensados} conversas, a mais longa de {}", duracao(mais));
    fim.relatar(falha, medido);
}

#[test]
fn um_pedido_http_e_dispensado_e_o_corpo_dele_nao_compra() {
    let cabecalho = "POST /comprar HTTP/1.1\r\nHost: localhost:12346\r\nOrigin: null\r\n\
                     User-Agent: Mozilla/5.0\r\nAccept: */*\r\nContent-Type: text/plain\r\n\
                     Content-Length: 8\r\n\r\n";
    let get =
        "GET / HTTP/1.1\r\nHost: localhost:12346\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";
    let junto = format!("{cabecalho}COMPRAR\n");
    let so_lf = junto.replace('\r', "");
    let conversas = [
        vec![get.as_bytes()],
        vec![junto.as_bytes()],
        vec![so_lf.as_bytes()],
        vec![cabecalho.as_bytes(), b"COMPRAR\n"],
        vec![b"POST /comprar HT", b"TP/1.1\r\nHost: x\r\n\r\nCOMPRAR\n"],
    ];
    sao_dispensados("um pedido HTTP", "", &conversas);
}

/// A primeira mensagem de um cliente TLS 1.3 (RFC 8446, 4.1.2), com fins de linha, e até um `COMPRAR`
/// inteiro, onde ela tem bytes ao acaso.
fn client_hello() -> Vec<u8> {
    let com_tamanho = |tipo: u16, dados: &[u8]| {
        [&tipo.to_be_bytes()[..], &(dados.len() as u16).to_be_bytes(), dados].concat()
    };
    let ao_acaso = *b"\x8f\n\x1c\r\nCOMPRAR\n\x00\xfe\x0a\x0a\x93CONSULTAR\n\x77\x0a\xe1\x5d";
    let chave = [&b"\x00\x24\x00\x1d\x00\x20"[..], &ao_acaso].concat();
    let extensoes = [
        com_tamanho(0x00, b"\x00\x0c\x00\x00\x09localhost"), // server_name
        com_tamanho(0x0a, b"\x00\x04\x00\x1d\x00\x17"),      // supported_groups
        com_tamanho(0x0d, b"\x00\x04\x04\x03\x08\x04"),      // signature_algorithms
        com_tamanho(0x2b, b"\x02\x03\x04"),                  // supported_versions
        com_tamanho(0x33, &chave),                           // key_share
    ]
    .concat();
    let corpo = [
        &b"\x03\x03"[..],
        &ao_acaso,
        &[32],
        &ao_acaso,
        b"\x00\x04\x13\x01\x13\x02",
        b"\x01\x00",
        &(extensoes.len() as u16).to_be_bytes(),
        &extensoes,
    ]
    .concat();
    let aperto = [&b"\x01\x00"[..], &(corpo.len() as u16).to_be_bytes(), &corpo].concat();
    [&b"\x16\x03\x01"[..], &(aperto.len() as u16).to_be_bytes(), &aperto].concat()
}

#[test]
fn um_cliente_tls_e_dispensado_por_inteiro_e_na_hora() {
    let ola = client_hello();
    // Inteiro, cortado, e só o começo: quem fala TLS espera a resposta, e não manda mais nada.
    let conversas =
        [vec![&ola[..]], vec![&ola[..1], &ola[1..]], vec![&ola[..2], &ola[2..]], vec![&ola[..5]]];
    sao_dispensados("um cliente TLS", " (TLS)", &conversas);
}
