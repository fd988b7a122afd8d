//! O que as mensagens dizem, e o que se entende delas.

use super::*;
use crate::RESPOSTA_MAXIMA;

const TODAS: [Resposta; 13] = [
    Resposta::Estoque(u64::MAX),
    Resposta::Compra { restante: u64::MAX },
    Resposta::Esgotado,
    Resposta::ForaDeAlcance,
    Resposta::Ajuda,
    Resposta::Despedida,
    Resposta::Desconhecido,
    Resposta::LinhaLonga,
    Resposta::OutroProtocolo,
    Resposta::Lotado,
    Resposta::LotadoParaOIp,
    Resposta::Encerrando,
    Resposta::Ocioso,
];

#[test]
fn os_textos_do_enunciado_letra_por_letra() {
    assert_eq!(Resposta::Estoque(10).to_string(), "Estoque atual: 10");
    assert_eq!(
        Resposta::Compra { restante: 9 }.to_string(),
        "Compra realizada. Estoque restante: 9"
    );
    assert_eq!(Resposta::Esgotado.to_string(), "ERRO: Produto esgotado");
    assert_eq!(AVISO, "AVISO: O estoque acabou de esgotar!");
}

#[test]
fn cada_resposta_e_uma_linha_ascii_dentro_do_limite() {
    for resposta in TODAS {
        let mut bytes = Vec::new();
        resposta.escrever(&mut bytes);
        assert!(bytes.len() <= RESPOSTA_MAXIMA, "{resposta}");
        assert_eq!(bytes.iter().position(|b| *b == b'\n'), Some(bytes.len() - 1));
        assert!(bytes.is_ascii(), "{resposta}");
        assert_eq!(bytes, format!("{resposta}\n").as_bytes());
    }
}

#[test]
fn nenhuma_resposta_tem_o_comeco_de_outra_no_meio() {
    for texto in TODAS.iter().map(|r| r.to_string()).chain([AVISO.to_string()]) {
        for (comeco, _) in COMECOS {
            let adiante = texto[1..].to_lowercase();
            assert!(texto == AJUDA || !adiante.contains(comeco), "{texto}");
        }
        assert_eq!(Mensagem::fim_da_primeira(texto.as_bytes()), None, "{texto}");
    }
}

#[test]
fn ida_e_volta() {
    for numero in [0, 1, u64::MAX] {
        let volta = |r: Resposta| Mensagem::interpretar(r.to_string().as_bytes());
        assert_eq!(volta(Resposta::Estoque(numero)), Mensagem::Estoque(numero.into()));
        assert_eq!(
            volta(Resposta::Compra { restante: numero }),
            Mensagem::Compra { restante: numero.into() }
        );
        assert_eq!(volta(Resposta::Esgotado), Mensagem::Esgotado);
        assert_eq!(volta(Resposta::ForaDeAlcance), Mensagem::ForaDeAlcance);
        assert_eq!(volta(Resposta::Lotado), Mensagem::Lotado);
        assert_eq!(volta(Resposta::LotadoParaOIp), Mensagem::Lotado);
        assert_eq!(volta(Resposta::Encerrando), Mensagem::Fechamento(ENCERRANDO));
        assert_eq!(volta(Resposta::Ocioso), Mensagem::Fechamento(OCIOSO));
    }
    assert_eq!(Mensagem::interpretar(AVISO.as_bytes()), Mensagem::Aviso(AVISO.into()));
}

#[test]
fn so_o_aviso_de_esgotamento_e_de_esgotamento() {
    for aviso in [AVISO, "AVISO: Produto ESGOTADO", "AVISO: Acabou!"] {
        assert!(avisa_que_esgotou(aviso), "{aviso}");
    }
    for aviso in [
        "AVISO: restam 3 unidades",
        "AVISO: o estoque está acabando",
        "AVISO: quase esgotado!",
        "AVISO: Não há mais estoque",
    ] {
        assert!(!avisa_que_esgotou(aviso), "{aviso}");
    }
}

#[test]
fn entende_quem_muda_as_letras_e_nao_o_sentido() {
    let ouvir = |texto: &str| Mensagem::interpretar(texto.as_bytes());
    assert_eq!(ouvir("estoque atual: 10"), Mensagem::Estoque(10));
    assert_eq!(ouvir("Estoque atual: 10 unidades."), Mensagem::Estoque(10));
    assert_eq!(ouvir("ESTOQUE ATUAL = -3"), Mensagem::Estoque(-3));
    let compra = Mensagem::Compra { restante: 9 };
    assert_eq!(ouvir("compra realizada. estoque restante: 9"), compra);
    assert_eq!(ouvir("Compra realizada! Estoque restante: 9."), compra);
    assert_eq!(ouvir("Erro: produto esgotado!"), Mensagem::Esgotado);
    assert_eq!(ouvir("Estoque atual: 10\0\0lixo: 99"), Mensagem::Estoque(10));
    assert_eq!(ouvir("aviso: acabou"), Mensagem::Aviso("aviso: acabou".into()));
    for outra in [
        "Vendido, sobraram 9",
        "ERRO: estoque insuficiente: 0",
        "Compra não realizada: 0",
        "esgotado",
        "ERRO: Comando desconhecido",
    ] {
        assert_eq!(ouvir(outra), Mensagem::Outra(outra.into()));
    }
}

#[test]
fn o_numero_e_o_da_frase_e_em_duvida_nao_se_escolhe() {
    let ouvir = |texto: &str| Mensagem::interpretar(texto.as_bytes());
    let compra = |restante| Mensagem::Compra { restante };
    assert_eq!(ouvir("Compra realizada. Estoque restante: 3[14:05:09]"), compra(3));
    assert_eq!(ouvir("[12] Compra realizada às 14:05. Restam 1.010 (lote 7)"), compra(1010));
    assert_eq!(ouvir("CONSULTAR: Estoque atual: **10**"), Mensagem::Estoque(10));
    assert_eq!(ouvir("Estoque atual: 10 (02:07)"), Mensagem::Estoque(10));
    assert_eq!(ouvir("Compra realizada. Estoque atual: 9"), compra(9));
    assert_eq!(ouvir("Servidor: ERRO: Produto esgotado"), Mensagem::Esgotado);
    for incerta in ["Compra realizada. Estoque restante: 314:05:09", "Compra realizada"] {
        assert_eq!(ouvir(incerta), Mensagem::CompraSemNumero(incerta.into()));
    }
    let incerto = "Estoque atual: 314:05:09";
    assert_eq!(ouvir(incerto), Mensagem::EstoqueSemNumero(incerto.into()));
    for outra in ["ERRO: estoque atual: 0", "Não há estoque atual: 3", "Estoque: 10"] {
        assert!(matches!(ouvir(outra), Mensagem::Outra(_)), "{outra}");
    }
}

#[test]
fn o_aviso_e_reconhecido_com_hora_ou_enfeite_antes() {
    for aviso in [
        "[14:05:09] AVISO: O estoque acabou de esgotar!",
        "[AVISO] O estoque acabou de esgotar!",
        "*** Aviso *** produto esgotado (14:05)",
        "2026-11-26T14:05:09Z Servidor: AVISO: acabou",
    ] {
        assert_eq!(Mensagem::interpretar(aviso.as_bytes()), Mensagem::Aviso(aviso.into()));
        assert!(avisa_que_esgotou(aviso), "{aviso}");
    }
    let saudacao = "Bem-vindo! Aqui você receberá um AVISO quando esgotar";
    assert_eq!(Mensagem::interpretar(saudacao.as_bytes()), Mensagem::Outra(saudacao.into()));
}

#[test]
fn mensagens_coladas_se_cortam_onde_a_segunda_comeca() {
    let compra = "Compra realizada. Estoque restante: 3";
    for (primeira, segunda) in [
        (compra, AVISO),
        (compra, "[14:05:09] AVISO: O estoque acabou de esgotar!"),
        (compra, "[AVISO] O estoque acabou de esgotar!"),
        (compra, "\n\n*** aviso: acabou ***"),
        (compra, ". Produto esgotado, obrigado!"),
        (compra, "\0\0\0AVISO: acabou"),
        (compra, "ERRO: Produto esgotado"),
        ("Compra realizada. Estoque restante: 0", "2026-11-26 14:05:09 AVISO: acabou"),
        ("Estoque atual: 10", "Estoque atual: 10"),
        ("Comprado! Restam 9", "AVISO: acabou"),
        ("Erro interno", "AVISO: acabou"),
        (AVISO, "Produto indisponível"),
        ("ERRO: Produto esgotado", "*** ATENÇÃO: produto esgotado! ***"),
        ("[AVISO] O estoque acabou!", "Estoque atual: 0"),
        ("*** ESTOQUE ESGOTADO ***", "ERRO: Produto esgotado"),
        ("ERRO: Produto esgotado", "AVISO: acabou"),
        ("\u{fffd}Estoque atual: 3", "AVISO: acabou"),
    ] {
        let coladas = format!("{primeira}{segunda}");
        assert_eq!(
            Mensagem::fim_da_primeira(coladas.as_bytes()),
            Some(primeira.len()),
            "{coladas}"
        );
    }
    for uma_so in [
        "CONSULTAR: Estoque atual: 10",
        "Bem-vindo à loja!Estoque atual: 10",
        "Servidor: AVISO: O estoque acabou de esgotar!",
        "[14:05:09] AVISO: O estoque acabou de esgotar!",
        "AVISO: estoque atual: 0",
        "ERRO: Produto esgotado. O estoque acabou, volte amanhã",
        "ERRO: estoque atual: 0",
        "Compra realizada. Estoque atual: 9",
        "Compra realizada. Estoque restante: 9 unidades. Volte sempre",
    ] {
        assert_eq!(Mensagem::fim_da_primeira(uma_so.as_bytes()), None, "{uma_so}");
    }
}

#[test]
fn em_outras_palavras_so_o_que_tem_um_sentido() {
    let ler = |compra, texto: &str| Mensagem::em_outras_palavras(compra, texto);
    for (texto, restante) in [
        ("Comprado! Restam 9", 9),
        ("Venda efetuada, sobraram 1.010 (14:05)", 1010),
        ("Estoque restante: 3", 3),
        ("Sucesso: agora há 4", 4),
    ] {
        assert_eq!(ler(true, texto), Some(Mensagem::Compra { restante }), "{texto}");
    }
    for texto in
        ["Produto esgotado", "Sem estoque.", "Não há mais unidades", "ERRO: Estoque insuficiente"]
    {
        assert_eq!(ler(true, texto), Some(Mensagem::Esgotado), "{texto}");
    }
    for texto in [
        "Comprado!",
        "Processando a compra...",
        "Compra 17 feita, 3 itens",
        "Todos os ingressos foram vendidos. Restam 0",
        "Tudo vendido. Estoque: 0",
        "Compra cancelada. Restam 0",
        "Compra rejeitada. Estoque: 0",
        "Vendas encerradas. Restam 0",
        "Nada para vender, restam 0",
        "Impossivel vender: estoque 0",
        "Lamentamos, produto em falta. Restam 0",
        "Estoque acabou! Restam 0",
        "Restam 0",
        "Erro interno",
        "Comando inválido: COMPRAR",
        "9",
        "oi",
        "Compra não realizada: 0",
    ] {
        assert_eq!(ler(true, texto), None, "{texto}");
    }
    for (texto, valor) in [("Tenho 10", 10), ("10", 10), ("Estoque: -2", -2), ("Há 3 às 14:05", 3)]
    {
        assert_eq!(ler(false, texto), Some(Mensagem::Estoque(valor)), "{texto}");
    }
    for texto in ["Erro 500", "Produto 7: 10", "oi", "Comando desconhecido: 1", "Olá, cliente 7"] {
        assert_eq!(ler(false, texto), None, "{texto}");
    }
}

#[test]
fn um_nao_em_latin_1_continua_sendo_um_nao() {
    for bytes in [&b"Compra n\xe3o realizada. Estoque: 0"[..], b"n\xe3o: Compra realizada: 0"] {
        let Mensagem::Outra(texto) = Mensagem::interpretar(bytes) else { panic!("{bytes:?}") };
        assert_eq!(Mensagem::em_outras_palavras(true, &texto), None, "{texto}");
    }
    let texto = decodificar(b"N\xe3o foi poss\xedvel. Estoque atual 0");
    assert_eq!(Mensagem::em_outras_palavras(false, &texto), None, "{texto}");
}

#[test]
fn ouve_tambem_o_que_esta_errado() {
    assert_eq!(Mensagem::interpretar(b"Estoque atual: -1\r\n"), Mensagem::Estoque(-1));
    assert_eq!(Mensagem::interpretar(b"AVISO: Acabou!"), Mensagem::Aviso("AVISO: Acabou!".into()));
    assert_eq!(
        Mensagem::interpretar(b"Estoque atual: muitos"),
        Mensagem::Outra("Estoque atual: muitos".into())
    );
    assert_eq!(Mensagem::interpretar(b"\xff\x1b[2J").to_string(), "ÿ\\u{1b}[2J");
    assert_eq!(visivel("disse \"oi\"\n"), "disse \"oi\"\\n");
}
