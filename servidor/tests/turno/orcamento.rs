//! O que um turno pode custar: o trabalho de cada conexão, o de todas, e a memória que elas ocupam.

use super::*;

/// O que se atende de uma conexão em um turno. O servidor o guarda para si; aqui está como promessa.
const PEDIDOS: usize = 64;

const MIB: usize = 1024 * 1024;

fn com_memoria(memoria: usize) -> Mesa {
    Mesa::com_limites(5, Limites { conexoes: 1000, por_endereco: None, ocioso: None, memoria })
}

/// Muitos pedidos em uma leitura, numerados pelo tanto de letras: cada um tem a sua resposta.
fn rajada(pedidos: usize) -> String {
    "CONSULTAR\nx\n".repeat(pedidos / 2)
}

fn respostas_da(rajada: &str) -> String {
    let resposta = |linha| match linha {
        "CONSULTAR" => "Estoque atual: 5\n",
        _ => "ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n",
    };
    rajada.lines().map(resposta).collect()
}

#[test]
fn uma_rajada_e_respondida_aos_poucos_em_ordem_e_ninguem_espera_por_ela() {
    let mut mesa = Mesa::com_estoque(5);
    let (tagarela, ana) = (mesa.entra(), mesa.entra());
    let rajada = rajada(600);
    tagarela.manda(&rajada);
    ana.manda("CONSULTAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    let mut ouvido = tagarela.ouviu();
    assert_eq!(ouvido.lines().count(), PEDIDOS);
    // A leitura já foi feita: daqui em diante não há evento nem leitura, e mesmo assim tudo é respondido.
    for vez in 2..=600 / PEDIDOS {
        assert!(mesa.tem_trabalho());
        mesa.turno();
        assert_eq!(mesa.gestos(), [Escreveu(0)]);
        ouvido += &tagarela.ouviu();
        assert_eq!(ouvido.lines().count(), vez * PEDIDOS);
    }
    mesa.gira();
    assert_eq!(ouvido + &tagarela.ouviu(), respostas_da(&rajada));
    assert!(!mesa.tem_trabalho() && mesa.guardados() == 0);
}

#[test]
fn o_que_sobrou_da_rajada_vale_ainda_que_o_cliente_feche_ou_o_servidor_encerre() {
    for encerra in [false, true] {
        let mut mesa = Mesa::com_estoque(5);
        let tagarela = mesa.entra();
        let rajada = rajada(400);
        tagarela.manda(format!("{rajada}CONSULTAR"));
        if !encerra {
            tagarela.fecha();
        }
        mesa.turno();
        if encerra {
            mesa.encerra();
        }
        mesa.gira();
        let adeus = if encerra { ENCERRANDO } else { "" };
        let respostas = respostas_da(&rajada);
        assert_eq!(tagarela.ouviu(), format!("{respostas}Estoque atual: 5\n{adeus}"));
        assert!(tagarela.viu_o_fim());
    }
}

#[test]
fn depois_de_sair_a_sobra_nao_vale() {
    let mut mesa = Mesa::com_estoque(5);
    let tagarela = mesa.entra();
    let rajada = rajada(100);
    tagarela.manda(format!("{rajada}SAIR\nCOMPRAR\n{rajada}"));
    mesa.gira();
    assert_eq!(tagarela.ouviu(), format!("{}{ADEUS}", respostas_da(&rajada)));
    assert_eq!((mesa.vendas(), mesa.guardados()), (0, 0));
}

#[test]
fn quem_nao_le_com_sobra_nao_faz_o_laco_girar_em_falso() {
    let mut mesa = Mesa::com_estoque(5);
    let surda = mesa.entra();
    surda.para_de_ler();
    surda.manda(rajada(400));
    mesa.gira();
    assert!(!mesa.tem_trabalho() && mesa.guardados() > 0);
    surda.volta_a_ler();
    mesa.gira();
    assert_eq!(surda.ouviu(), respostas_da(&rajada(400)));
    assert_eq!(mesa.guardados(), 0);
}

#[test]
fn o_prazo_da_linha_espera_a_sobra() {
    let mut mesa = Mesa::com_estoque(5);
    let surda = mesa.entra();
    surda.para_de_ler();
    surda.manda(format!("{}CONSUL", rajada(400)));
    mesa.gira();
    mesa.passa(PRAZO_DA_SAIDA - UM_SEGUNDO);
    surda.volta_a_ler();
    mesa.gira();
    mesa.passa(PRAZO_DA_LINHA - UM_SEGUNDO);
    surda.manda("TAR\n");
    mesa.gira();
    assert!(surda.conectada() && surda.ouviu().ends_with("Estoque atual: 5\n"));
}

#[test]
fn o_trabalho_tem_teto_e_quem_sobra_e_o_primeiro_do_turno_seguinte() {
    let mut mesa = Mesa::com_estoque(5);
    let tagarelas: Vec<Cliente> = (0..70).map(|_| mesa.entra()).collect();
    let ana = mesa.entra();
    for tagarela in &tagarelas {
        tagarela.manda(rajada(200));
    }
    ana.manda("CONSULTAR\n");
    mesa.turno();
    // Cada uma custa 64 pedidos e a ida até ela; com 57 delas chega-se ao teto.
    let mut ouviram: Vec<String> = tagarelas.iter().map(Cliente::ouviu).collect();
    let atendidas = ouviram.iter().filter(|ouvido| !ouvido.is_empty()).count();
    assert_eq!((atendidas, ana.ouviu().as_str()), (57, ""));
    assert!(mesa.tem_trabalho());
    mesa.turno();
    assert_eq!(mesa.gestos().first(), Some(&Leu(57)));
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    mesa.gira();
    for (ouvido, tagarela) in ouviram.iter_mut().zip(&tagarelas) {
        *ouvido += &tagarela.ouviu();
        assert_eq!(*ouvido, respostas_da(&rajada(200)));
    }
}

// A memória de todas.

/// Uma que não lê, com muito por ouvir e muito por atender.
fn surda(mesa: &mut Mesa) -> Cliente {
    let surda = mesa.entra();
    surda.para_de_ler();
    surda.manda(rajada(600));
    mesa.gira();
    surda
}

#[test]
fn acima_do_teto_saem_as_que_ha_mais_tempo_nao_leem_e_ninguem_mais() {
    let mut mesa = com_memoria(40 * 1024);
    let (calada, honesta) = (mesa.entra(), mesa.entra());
    calada.manda("CONSUL");
    honesta.manda("CONSULTAR\n");
    let mut surdas = Vec::new();
    while mesa.ativas() == surdas.len() + 2 {
        assert!(surdas.len() < 20, "o teto não se impõe");
        surdas.push(surda(&mut mesa));
        mesa.passa(UM_SEGUNDO);
        assert!(mesa.guardados() <= 40 * 1024, "{}", mesa.guardados());
    }
    // Saíram as primeiras, tantas quantas bastam; as últimas ficaram.
    let fora = surdas.iter().take_while(|surda| !surda.conectada()).count();
    assert!(fora > 0 && surdas[fora..].iter().all(Cliente::conectada));
    assert_eq!(mesa.ativas(), surdas.len() - fora + 2);
    assert!(calada.conectada() && honesta.ouviu() == "Estoque atual: 5\n");
    for surda in &surdas[fora..] {
        surda.volta_a_ler();
    }
    mesa.gira();
    assert!(surdas[fora..].iter().all(|surda| surda.ouviu() == respostas_da(&rajada(600))));
}

#[test]
fn quem_le_aos_poucos_sai_depois_de_quem_nao_le() {
    let mut mesa = com_memoria(40 * 1024);
    let devagar = surda(&mut mesa);
    mesa.passa(UM_SEGUNDO);
    // Duas: quando se passa do teto sai um tanto, e não só uma.
    let outras = [surda(&mut mesa), surda(&mut mesa)];
    mesa.passa(UM_SEGUNDO);
    devagar.le_so_mais(10);
    mesa.gira();
    for _ in 0..20 {
        if outras.iter().all(Cliente::conectada) {
            surda(&mut mesa);
        }
    }
    assert!(!outras.iter().all(Cliente::conectada) && devagar.conectada());
}

#[test]
fn abaixo_do_teto_ninguem_sai() {
    let mut mesa = com_memoria(MIB);
    let surdas: Vec<Cliente> = (0..40).map(|_| surda(&mut mesa)).collect();
    assert!(mesa.guardados() > MIB / 8 && surdas.iter().all(Cliente::conectada));
}

#[test]
fn um_aviso_a_muitos_surdos_tambem_conta() {
    let mut mesa = Mesa::com_limites(
        1,
        Limites { conexoes: 1000, por_endereco: None, ocioso: None, memoria: 1000 },
    );
    let surdas: Vec<Cliente> = (0..100).map(|_| mesa.entra()).collect();
    surdas.iter().for_each(Cliente::para_de_ler);
    let ana = mesa.entra();
    ana.manda("COMPRAR\n");
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}"));
    assert!(mesa.guardados() <= 1000 && surdas.iter().any(|surda| !surda.conectada()));
}
