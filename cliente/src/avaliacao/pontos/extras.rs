//! Os extras (§9): o log detalhado e o AVISO a todos. Não valem pontos.

use protocolo::terminal::contar;

use super::comum::curto;
use crate::avaliacao::autopsia::sem_cores;
use crate::avaliacao::boletim::{Estado, Extra};
use crate::avaliacao::evidencias::{Conversa, Evidencias, Ouvintes, linhas_das_portas};
use crate::tempo::formatar;

/// Extra, §9.1: hora, IP e porta do cliente no console, para cada comando.
pub fn log(vistas: &Evidencias) -> Extra {
    let Conversa { console, portas, consultas, compras, recusas, .. } = &vistas.conversa;
    let comandos = consultas.len() + compras.len() + recusas.len();
    let (estado, viu) = match console {
        Some(console) => julgar_log(console, portas, comandos),
        None => (Estado::NaoAvaliado, "o console só se vê com --iniciar".into()),
    };
    let tentou = format!("{} de um cliente, no console.", contar(comandos, "comando", "comandos"));
    Extra { nome: "Log Detalhado", estado, tentou, viu }
}

fn julgar_log(console: &str, portas: &[u16], comandos: usize) -> (Estado, String) {
    let console = sem_cores(console);
    let dele: Vec<&str> = linhas_das_portas(&console, portas).collect();
    let com_ip = dele.iter().filter(|linha| tem_ip(linha)).count();
    let completas = dele.iter().filter(|linha| tem_ip(linha) && tem_hora(linha)).count();
    let exemplo = dele.last().map(|linha| format!(": '{}'", curto(linha))).unwrap_or_default();
    if comandos > 0 && completas >= comandos {
        (Estado::Cumprido, format!("uma linha por comando, com hora, IP e porta{exemplo}"))
    } else if comandos > 0 && com_ip >= comandos {
        (Estado::EmParte, format!("uma linha por comando, com IP e porta, mas sem a hora{exemplo}"))
    } else {
        let linhas = contar(com_ip, "linha", "linhas");
        (
            Estado::NaoCumprido,
            format!(
                "{linhas} com o IP e a porta do cliente, para {}{exemplo}",
                contar(comandos, "comando", "comandos")
            ),
        )
    }
}

fn tem_ip(linha: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].iter().any(|ip| linha.contains(ip))
}

/// `14:05:09` em algum lugar, ou o tempo desde 1970, em segundos ou em uma fração deles. O que o Python
/// chama de número da thread tem 15 algarismos, e não é a hora.
fn tem_hora(linha: &str) -> bool {
    let digito = |b: u8| b.is_ascii_digit();
    let relogio = |j: &[u8]| {
        digito(j[0])
            && j[1] == b':'
            && digito(j[2])
            && digito(j[3])
            && j[4] == b':'
            && digito(j[5])
            && digito(j[6])
    };
    let epoca = |numero: &str| matches!(numero.len(), 10 | 13 | 16 | 19) && numero.starts_with('1');
    linha.as_bytes().windows(7).any(relogio)
        || linha.split(|letra: char| !letra.is_ascii_digit()).any(epoca)
}

/// Extra, §9.2: o AVISO a todos os conectados, no momento do esgotamento.
pub fn broadcast(vistas: &Evidencias) -> Extra {
    let Ouvintes { conectados, ouviram, desordem, outras_palavras, espalhamento, .. } =
        &vistas.aviso;
    let palavras = outras_palavras.as_deref().map(curto);
    let palavras = palavras.map(|p| format!(", em outras palavras: '{p}'")).unwrap_or_default();
    let quantos = format!(
        "chegou a {ouviram} de {conectados}, {} do primeiro ao último{palavras}",
        formatar(*espalhamento)
    );
    let primeira = vistas.rodadas.first();
    let esgotado_antes = primeira.is_some_and(|r| r.vendas == 0 && r.recusas > 0);
    let todos = ouviram == conectados || vistas.aviso.menos_o_comprador;
    let fecha = vistas.conversa.fecha_depois_de.contains(&"CONSULTAR");
    let (estado, viu) = match desordem {
        _ if esgotado_antes => {
            (Estado::NaoAvaliado, "o estoque já tinha acabado antes da disputa".to_owned())
        }
        // Chega a quem por acaso acabava de conectar.
        _ if fecha => (Estado::NaoCumprido, "não fica ninguém conectado para ouvi-lo".to_owned()),
        _ if *ouviram == 0 => {
            let veio = vistas.aviso.nao_entendido.as_deref().map(curto);
            let veio = veio.map(|v| format!("; sem ninguém pedir, veio '{v}', que não se entende"));
            (Estado::NaoCumprido, format!("não chegou a ninguém{}", veio.unwrap_or_default()))
        }
        _ if vistas.aviso.so_o_comprador => {
            (Estado::NaoCumprido, "só chegou a quem comprou a última unidade".to_owned())
        }
        Some(desordem) => (Estado::EmParte, format!("{quantos}; mas {desordem}")),
        None if todos => (Estado::Cumprido, quantos),
        None => (Estado::EmParte, quantos),
    };
    let tentou = "Todos conectados na primeira disputa, à escuta do AVISO.".to_owned();
    Extra { nome: "Broadcast de Esgotamento", estado, tentou, viu }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::certas;

    #[test]
    fn o_log_pede_hora_ip_e_porta_em_uma_linha_por_comando() {
        use Estado::{Cumprido, EmParte, NaoCumprido};
        let casos = [
            ("[2026-02-24 14:05:09.123] 127.0.0.1:54321 COMPRAR", Cumprido),
            ("14:05:09 ('127.0.0.1', 54321) COMPRAR", Cumprido),
            ("Tue Feb 24 9:05:09 2026 ::1 54321", Cumprido),
            ("1771941909.12 localhost:54321", Cumprido),
            ("1771941909123 127.0.0.1:54321", Cumprido),
            ("127.0.0.1:54321 COMPRAR", EmParte),
            ("[140383323850432] 127.0.0.1:54321", EmParte),
            ("tel. 9999999999 127.0.0.1:54321", EmParte),
            ("2026-02-24 127.0.0.1:54321", EmParte),
            ("14:05 127.0.0.1:54321", EmParte),
            ("14:05:09 54321 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1:154321 COMPRAR", NaoCumprido),
            ("14:05:09.543217 127.0.0.1:40000", NaoCumprido),
            ("", NaoCumprido),
        ];
        for (linha, esperado) in casos {
            let mut vistas = certas();
            vistas.conversa.console =
                Some(format!("Conectado\n{}", format!("{linha}\n").repeat(13)));
            assert_eq!(log(&vistas).estado, esperado, "{linha}");
            // Doze linhas não são uma para cada um dos treze comandos.
            vistas.conversa.console = Some(format!("{linha}\n").repeat(12));
            assert_eq!(log(&vistas).estado, NaoCumprido, "{linha}");
        }
        // O console.log do Node pinta os números diante de um terminal.
        let colorida = "14:05:09 127.0.0.1:\u{1b}[33m54321\u{1b}[39m COMPRAR\n";
        let mut vistas = certas();
        vistas.conversa.console = Some(colorida.repeat(13));
        let com_cores = log(&vistas);
        assert_eq!(com_cores.estado, Cumprido, "{}", com_cores.viu);
        assert!(com_cores.viu.ends_with("'14:05:09 127.0.0.1:54321 COMPRAR'"), "{}", com_cores.viu);
        let mut vistas = certas();
        vistas.conversa.console = None;
        assert_eq!(log(&vistas).estado, Estado::NaoAvaliado);
        vistas.conversa =
            Conversa { portas: vec![1], console: Some("1".into()), ..Conversa::default() };
        assert_eq!(log(&vistas).estado, NaoCumprido, "nenhum comando não é um log");
    }

    #[test]
    fn o_broadcast_vai_a_todos_ou_a_todos_menos_o_comprador_e_em_ordem() {
        use Estado::{Cumprido, EmParte, NaoAvaliado, NaoCumprido};
        let todos = || Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() };
        let palavras = Some("AVISO: acabou\u{7}".to_owned());
        let casos = [
            (todos(), Cumprido, "chegou a 50 de 50"),
            (Ouvintes { outras_palavras: palavras, ..todos() }, Cumprido, r"'AVISO: acabou\u{7}'"),
            (Ouvintes { ouviram: 49, menos_o_comprador: true, ..todos() }, Cumprido, "49 de 50"),
            (Ouvintes { ouviram: 49, ..todos() }, EmParte, "49 de 50"),
            (Ouvintes { desordem: Some("repetiu".into()), ..todos() }, EmParte, "; mas repetiu"),
            (Ouvintes { ouviram: 1, so_o_comprador: true, ..todos() }, NaoCumprido, "só chegou"),
            (Ouvintes { ouviram: 0, ..todos() }, NaoCumprido, "não chegou a ninguém"),
            (Ouvintes::default(), NaoCumprido, "não chegou a ninguém"),
        ];
        for (aviso, estado, frase) in casos {
            let extra = broadcast(&Evidencias { aviso, ..certas() });
            assert_eq!(extra.estado, estado, "{}", extra.viu);
            assert!(extra.viu.contains(frase), "{}", extra.viu);
        }
        let mut vistas = certas();
        vistas.rodadas[0].vendas = 0;
        assert_eq!(broadcast(&vistas).estado, NaoAvaliado);
    }
}
